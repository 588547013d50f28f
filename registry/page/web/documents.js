// Reads the documents that refer to an image: SBOMs, signatures and attestations. Each function
// takes a parsed document and returns what it says, as texts.

function object(value) {
  return value && typeof value === 'object' && !Array.isArray(value) ? value : {};
}

function objects(list) {
  return Array.isArray(list) ? list.filter((one) => one && typeof one === 'object') : [];
}

function text(value) {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

export function decode64(value) {
  const plain = text(value).replace(/-/g, '+').replace(/_/g, '/').replace(/\s+/g, '');
  try {
    const bytes = Uint8Array.from(atob(plain), (one) => one.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    return '';
  }
}

function decodeObject(value) {
  try {
    return object(JSON.parse(decode64(value)));
  } catch {
    return {};
  }
}

// --- SBOM --------------------------------------------------------------------------------------

// "NOASSERTION" and "NONE" of SPDX say that nothing is known.
function known(value) {
  const shown = text(value);
  return /^(NOASSERTION|NONE)$/.test(shown) ? '' : shown;
}

function spdxPackages(document) {
  return objects(document.packages).map((one) => ({
    name: text(one.name), version: known(one.versionInfo),
    licence: known(one.licenseConcluded) || known(one.licenseDeclared),
  }));
}

// SPDX 3 is a graph of elements.
function spdxGraph(document) {
  return objects(document['@graph']).filter((one) => /(^|_)Package$/.test(text(one.type)))
    .map((one) => ({
      name: text(one.name), version: text(one.software_packageVersion || one.packageVersion),
      licence: '',
    }));
}

function cyclonedxLicence(one) {
  return objects(one.licenses).map((entry) => text(entry.expression)
    || text(object(entry.license).id) || text(object(entry.license).name)).filter((word) => word)
    .join(', ');
}

function cyclonedxPackages(document) {
  return objects(document.components).map((one) => ({
    name: one.group ? `${text(one.group)}/${text(one.name)}` : text(one.name),
    version: text(one.version), licence: cyclonedxLicence(one),
  }));
}

// Returns {format, name, packages}; null for a document that is no SBOM.
export function readSbom(document) {
  if (text(document.spdxVersion)) {
    return { format: text(document.spdxVersion), name: text(document.name),
      packages: spdxPackages(document) };
  }
  if (Array.isArray(document['@graph'])) {
    const packages = spdxGraph(document);
    return packages.length > 0 ? { format: 'SPDX-3', name: '', packages } : null;
  }
  if (document.bomFormat === 'CycloneDX' || Array.isArray(document.components)) {
    const component = object(object(document.metadata).component);
    return { format: `CycloneDX ${text(document.specVersion)}`.trim(), name: text(component.name),
      packages: cyclonedxPackages(document) };
  }
  if (Array.isArray(document.artifacts) && document.source) { // syft's own format
    return { format: 'Syft', name: '', packages: objects(document.artifacts).map((one) => ({
      name: text(one.name), version: text(one.version),
      licence: objects(one.licenses).map((entry) => text(entry.value)).join(', '),
    })) };
  }
  return null;
}

// --- signatures --------------------------------------------------------------------------------

// cosign signs a "simple signing" document. Returns pairs of keys of texts and values.
export function readCosign(document, annotations) {
  const critical = object(document.critical);
  const isCertified = Boolean(object(annotations)['dev.sigstore.cosign/certificate']);
  return [
    ['sign.format', 'cosign'],
    ['sign.image', text(object(critical.identity)['docker-reference'])],
    ['sign.digest', text(object(critical.image)['docker-manifest-digest'])],
    ['sign.certificate', isCertified],
    ...Object.entries(object(document.optional)).map(([name, value]) => [name, text(value)]),
  ];
}

// Notation signs in a JSON Web Signature.
export function readNotation(document) {
  const head = decodeObject(document.protected);
  const target = object(decodeObject(document.payload).targetArtifact);
  return [
    ['sign.format', 'Notation (JWS)'],
    ['sign.digest', text(target.digest)],
    ['sign.time', text(head['io.cncf.notary.signingTime'])],
    ['sign.algorithm', text(head.alg)],
    ['sign.certificate', Array.isArray(object(document.header).x5c)],
  ];
}

// --- attestations ------------------------------------------------------------------------------

// The in-toto statement in a document, an envelope (DSSE) or a sigstore bundle; otherwise null.
export function statementOf(document) {
  if (document.predicateType) return document;
  const envelope = document.payload ? document : object(document.dsseEnvelope);
  const statement = envelope.payload ? decodeObject(envelope.payload) : {};
  return statement.predicateType ? statement : null;
}

function slsaPairs(predicate) {
  const definition = object(predicate.buildDefinition);
  const run = object(predicate.runDetails);
  const metadata = object(run.metadata || predicate.metadata);
  const materials = objects(definition.resolvedDependencies || predicate.materials);
  return [
    ['attest.builder', text(object(run.builder || predicate.builder).id)],
    ['attest.buildType', text(definition.buildType || predicate.buildType)],
    ['attest.started', text(metadata.startedOn || metadata.buildStartedOn)],
    ['attest.finished', text(metadata.finishedOn || metadata.buildFinishedOn)],
    ['attest.materials', materials.map((one) => text(one.uri))],
  ];
}

export function readStatement(statement) {
  const predicate = object(statement.predicate);
  const subjects = objects(statement.subject).map((one) => {
    const [algorithm, value] = Object.entries(object(one.digest))[0] || [];
    return [text(one.name), algorithm ? `${algorithm}:${text(value)}` : ''].filter((word) => word)
      .join(' ');
  });
  return [
    ['attest.predicate', text(statement.predicateType)],
    ['attest.subject', subjects],
    ...(/provenance/.test(text(statement.predicateType)) ? slsaPairs(predicate) : []),
  ];
}

// An SBOM that an attestation carries.
export function sbomOfStatement(statement) {
  const predicate = object(statement.predicate);
  return readSbom(predicate) || readSbom(object(predicate.Data));
}
