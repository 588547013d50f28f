// What media types and artifact types are called, for people.

import { has, t } from './words.js';

// The first pattern that matches decides.
const KINDS = [
  [/^application\/vnd\.cncf\.helm\./, 'helm'],
  [/^application\/vnd\.dev\.cosign\.(artifact\.sig|simplesigning)/, 'signature'],
  [/^application\/vnd\.dev\.cosign\.artifact\.sbom/, 'sbom'],
  [/^application\/vnd\.dev\.cosign\.artifact\.att/, 'attestation'],
  [/^application\/vnd\.dev\.sigstore\.bundle/, 'bundle'],
  [/^application\/vnd\.cncf\.notary\.signature|notary\.v2/, 'signature'],
  [/^(application|text)\/spdx|vnd\.syft|spdx\+/, 'sbom'],
  [/cyclonedx/, 'sbom'],
  [/in-toto|dsse\.envelope/, 'attestation'],
  [/sarif|vuln|security\.report/, 'scan'],
  [/^application\/vnd\.(wasm|bytecodealliance)/, 'wasm'],
  [/^application\/vnd\.cncf\.openpolicyagent/, 'policy'],
  [/^application\/vnd\.cncf\.flux/, 'flux'],
  [/^application\/vnd\.(docker\.plugin)/, 'plugin'],
  [/^application\/vnd\.(buildkit\.cacheconfig)/, 'cache'],
  [/image\.index|manifest\.list/, 'index'],
  [/^application\/vnd\.(oci|docker)\.(image|container|distribution)/, 'image'],
  [/^application\/vnd\.docker\.image\.rootfs/, 'image'],
];

export function kindOf(type) {
  const found = KINDS.find(([pattern]) => pattern.test(String(type || '').toLowerCase()));
  return found ? found[1] : '';
}

// A name for a type; a type that is not known is its own name.
export function nameOfType(type) {
  const kind = kindOf(type);
  return kind && has(`kind.${kind}`) ? t(`kind.${kind}`) : String(type || '');
}

// What a manifest is, by what it says itself: {kind, type}.
export function kindOfManifest(manifest, mediaType) {
  const config = manifest.config && manifest.config.mediaType;
  if (Array.isArray(manifest.manifests)) return { kind: 'index', type: mediaType };
  if (manifest.artifactType) {
    return { kind: kindOf(manifest.artifactType), type: String(manifest.artifactType) };
  }
  const isEmpty = config === 'application/vnd.oci.empty.v1+json';
  const layer = Array.isArray(manifest.layers) && manifest.layers[0];
  const type = isEmpty && layer ? layer.mediaType : config || mediaType;
  const layerKind = kindOf(layer && layer.mediaType);
  // cosign pushes signatures and attestations with the configuration of an image.
  if (['signature', 'attestation', 'sbom'].includes(layerKind)) {
    return { kind: layerKind, type: layer.mediaType };
  }
  return { kind: kindOf(type), type };
}
