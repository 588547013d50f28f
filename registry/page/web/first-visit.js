// What an empty registry shows: the commands that push a first image.

import * as api from './api.js';
import { h } from './dom.js';
import { t } from './words.js';
import { copyable, emptyNote } from './parts.js';

export function firstVisit(path) {
  if (path) return emptyNote(t('first.path', { path }));
  if (!api.self.user && api.self.login !== 'none') {
    return h('div', { class: 'note' }, h('p', null, t('first.anonymous')),
      h('p', null, h('a', { class: 'button main', href: '#sign-in' }, t('signin.button'))));
  }
  if (!api.self.push) return emptyNote(t('first.nothing'));
  const { host } = api.self;
  const image = `${host}/hello:1.0`;
  return h('section', { class: 'panel first' }, h('h2', null, t('first.title')),
    h('p', null, t('first.text')), h('ol', null,
      h('li', null, copyable(t('first.login'), `docker login ${host}`)),
      h('li', null, copyable(t('first.tag'), `docker tag hello ${image}`)),
      h('li', null, copyable(t('first.push'), `docker push ${image}`))),
    h('p', { class: 'hint' }, t('first.hint')));
}
