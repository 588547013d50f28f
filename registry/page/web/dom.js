// Builds elements. Texts become text nodes, and nothing here or elsewhere parses HTML, so a hostile
// name or label is shown as it is and does nothing.

const SVG = 'http://www.w3.org/2000/svg';
const SAFE_LINK = /^(#|https?:\/\/)/i;

function addChild(parent, child) {
  if (child === null || child === undefined || child === false) return;
  if (Array.isArray(child)) child.forEach((one) => addChild(parent, one));
  else parent.append(child instanceof Node ? child : String(child));
}

function setProperty(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === 'function') {
    element.addEventListener(name, value);
    return;
  }
  if (/^(on|style$|src|srcdoc$|formaction$)/i.test(name)) throw new Error(`attribute ${name}`);
  if (name === 'href' && !SAFE_LINK.test(value)) return;
  element.setAttribute(name, value === true ? '' : String(value));
}

function build(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) setProperty(element, name, value);
  addChild(element, children);
  return element;
}

// h('a', {class: 'x', href: '#/', click: handler}, 'text', node, [more])
export function h(tag, properties, ...children) {
  return build(document.createElement(tag), properties, children);
}

// The same for the elements of a picture.
export function svg(tag, properties, ...children) {
  return build(document.createElementNS(SVG, tag), properties, children);
}

export function replace(parent, ...children) {
  parent.replaceChildren();
  addChild(parent, children);
  return parent;
}

let lastId = 0;

export function newId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

// columns: [{label, className?, isHidden?}]; rows: arrays of cells. A cell is a text, a node, or an
// array of these. The first cell of a row is its header. The roles repeat what the elements say,
// because on a phone the rows are laid out as blocks, and then some browsers forget it.
export function table(caption, columns, rows, options = {}) {
  const body = h('tbody', { role: 'rowgroup' }, rows.map((row) => tableRow(columns, row)));
  const head = columns.map((column) => h('th', {
    scope: 'col', role: 'columnheader', class: column.className,
  }, column.isHidden ? h('span', { class: 'unseen' }, column.label) : column.label));
  return h('table', { role: 'table', class: options.className },
    h('caption', { class: options.isCaptionShown ? '' : 'unseen' }, caption),
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, head)), body);
}

export function tableRow(columns, cells) {
  return h('tr', { role: 'row' }, cells.map((cell, at) => {
    const { label, className, isHidden } = columns[at];
    if (at === 0) return h('th', { scope: 'row', role: 'rowheader', class: className }, cell);
    const properties = { role: 'cell', class: className, 'data-label': isHidden ? null : label };
    return h('td', properties, cell !== '' && h('div', null, cell));
  }));
}

// pairs: [[term, value]]; a pair without a value is left out.
export function definitions(pairs, className = 'pairs') {
  const isThere = ([, value]) => value !== null && value !== undefined && value !== false
    && value !== '' && !(Array.isArray(value) && value.length === 0);
  return h('dl', { class: className }, pairs.filter(isThere).map(([term, value]) => h('div', null,
    h('dt', null, term), h('dd', null, value))));
}

// A label and its field; the label is above the field.
export function field(label, input, className) {
  const id = input.id || newId('field');
  input.id = id;
  return h('div', { class: `field ${className || ''}` }, h('label', { for: id }, label), input);
}
