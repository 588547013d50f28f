// Parts that several views use.

import { h, newId } from './dom.js';
import { age, date, t } from './words.js';
import { toRepositories, trail } from './route.js';

export function emptyNote(...content) {
  return h('div', { class: 'note' }, content.map((one) => h('p', null, one)));
}

export function errorNote(text, retry) {
  return h('div', { class: 'note error', role: 'alert' }, h('p', null, text),
    retry && h('p', null, h('button', { type: 'button', click: retry }, t('error.retry'))));
}

export function timeOf(text, fallback = '') {
  if (!text || !date(text)) return fallback;
  return h('time', { datetime: text, title: date(text) }, age(text));
}

// A digest, short enough for a table; its end is in the title.
export function shortDigest(digest, length = 12) {
  const [algorithm, hex = ''] = String(digest || '').split(':');
  if (!hex) return '';
  const prefix = algorithm === 'sha256' ? '' : `${algorithm}:`;
  const text = prefix + hex.slice(0, length);
  return h('code', { class: 'digest', title: digest }, text);
}

// The paths above a repository, the last one as text.
export function breadcrumbs(name, last) {
  const steps = name ? trail(name.replace(/\/$/, '')) : [];
  const links = [[t('repositories.title'), toRepositories()], ...steps];
  const here = last || links.pop()[0];
  return h('nav', { class: 'trail', 'aria-label': t('frame.trail') }, h('ol', null,
    links.map(([text, href]) => h('li', null, h('a', { href }, text))),
    h('li', { 'aria-current': 'page' }, here)));
}

export function platformText(platform) {
  if (!platform || !platform.architecture) return '';
  const { os, architecture, variant } = platform;
  return [os, architecture, variant].filter((word) => word && typeof word === 'string').join('/');
}

export function chips(texts, most = 4) {
  const shown = texts.slice(0, most);
  const rest = texts.slice(most);
  return h('span', { class: 'chips' }, shown.map((text) => h('span', { class: 'chip' }, text)),
    rest.length > 0 && h('span', { class: 'chip', title: rest.join(', ') }, `+${rest.length}`));
}

// Copies a text; where the browser does not allow that, it is selected.
async function copy(text, source, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = t('copy.done');
  } catch {
    window.getSelection().selectAllChildren(source);
    button.textContent = document.execCommand('copy') ? t('copy.done') : t('copy.selected');
  }
  setTimeout(() => {
    button.textContent = t('copy.button');
  }, 2000);
}

// A text with a button that copies it. label says what the text is.
export function copyable(label, text) {
  const code = h('code', { tabindex: '0' }, text);
  const id = newId('copy');
  const button = h('button', {
    type: 'button', class: 'quiet', id, 'aria-live': 'polite', 'aria-describedby': `${id}-label`,
    click: () => copy(text, code, button),
  }, t('copy.button'));
  return h('div', { class: 'copyable' }, h('span', { class: 'label', id: `${id}-label` }, label),
    code, button);
}

// A button that appends rows until there are no more. load() returns whether there are more, and
// what gets the focus. Returns {button, node}; the node also tells why loading failed.
export function moreButton(load) {
  const failure = h('p', { class: 'failure', role: 'alert' });
  const button = h('button', {
    type: 'button',
    click: async () => {
      button.disabled = true;
      failure.textContent = '';
      try {
        const { isMore, first } = await load();
        button.hidden = !isMore;
        if (first) first.focus();
      } catch (error) {
        if (error.name !== 'AbortError') failure.textContent = error.message;
      } finally {
        button.disabled = false;
      }
    },
  }, t('list.more'));
  return { button, node: h('div', { class: 'more' }, failure, button) };
}

// Calls action when nothing was typed for a moment.
export function whenQuiet(action, milliseconds = 150) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };
}

export function searchBox(label, value, onChange) {
  const input = h('input', {
    type: 'search', value, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none',
    input: whenQuiet(() => onChange(input.value.trim())),
  });
  return input;
}

export function panel(title, ...content) {
  const id = newId('panel');
  return h('section', { class: 'panel', 'aria-labelledby': id }, h('h2', { id }, title), content);
}
