// The start of the page: languages, the frame around the views, and which view is shown.

import * as api from './api.js';
import { h, replace } from './dom.js';
import { choose, currentLanguage, languages, parts, t, use } from './words.js';
import { parse, toRepositories, toSpace } from './route.js';
import { showCompare } from './compare.js';
import { showHealth } from './health.js';
import { showImage } from './image.js';
import { showRepositories } from './repositories.js';
import { showSignIn } from './sign-in.js';
import { showSpace } from './space.js';
import { showTags } from './tags.js';
import { emptyNote, errorNote } from './parts.js';

const VIEWS = {
  repositories: showRepositories, tags: showTags, image: showImage, space: showSpace,
  compare: showCompare, health: showHealth, 'sign-in': showSignIn, missing: showMissing,
};

const status = h('div', { class: 'unseen', role: 'status' });
const header = h('header', { class: 'top' });
const footer = h('footer', { class: 'bottom' });
const main = h('main', { id: 'main', tabindex: '-1' });

let running = new AbortController();
let isFirst = true;

// --- the frame ---------------------------------------------------------------------------------

function skipLink() {
  return h('a', {
    class: 'skip', href: '#main',
    click: (event) => {
      event.preventDefault();
      main.focus();
    },
  }, t('frame.skip'));
}

function navigation(view) {
  const isContent = ['repositories', 'tags', 'image', 'compare'].includes(view);
  const links = [];
  if (api.self.catalog) {
    links.push([t('repositories.title'), toRepositories(), isContent],
      [t('space.title'), toSpace(), view === 'space']);
  }
  if (api.self.health) links.push([t('health.title'), '#health', view === 'health']);
  if (links.length === 0) return null;
  return h('nav', { 'aria-label': t('frame.navigation') }, h('ul', null, links.map(
    ([text, href, isHere]) => h('li', null, h('a', {
      href, 'aria-current': isHere ? 'page' : null,
    }, text)),
  )));
}

async function leave() {
  await api.signOut();
  status.textContent = t('signin.left');
  if (window.location.hash === toRepositories()) show();
  else window.location.hash = toRepositories();
}

function account(view) {
  if (api.self.user) {
    return h('div', { class: 'account' },
      h('span', { class: 'user' }, parts('frame.user', { user: h('b', null, api.self.user) })
        .filter((part) => part)
        .map((part) => (part instanceof Node ? part : h('span', { class: 'words' }, part)))),
      h('button', { type: 'button', class: 'quiet', click: leave }, t('signin.leave')));
  }
  if (view === 'sign-in' || !['basic', 'token'].includes(api.self.login)) return null;
  return h('div', { class: 'account' }, h('a', { class: 'button', href: '#sign-in' },
    t('signin.button')));
}

function drawFrame(view) {
  replace(header, h('a', { class: 'brand', href: toRepositories() }, brandMark(),
    h('span', null, api.self.host || window.location.host)), navigation(view), account(view));
  replace(footer, h('div', null, api.self.version ? `registryd ${api.self.version}` : 'registryd'),
    languageChoice());
}

function brandMark() {
  return h('span', { class: 'mark', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
}

function languageChoice() {
  const select = h('select', {
    id: 'language',
    change: async () => {
      await use(languages().find((one) => one.code === select.value));
      const address = new URL(window.location.href);
      address.searchParams.set('lang', select.value);
      window.history.replaceState(null, '', address);
      await show();
      document.getElementById('language').focus();
    },
  }, languages().map((one) => h('option', {
    value: one.code, lang: one.code, selected: one.code === currentLanguage(),
  }, one.name)));
  return h('div', { class: 'language' }, h('label', { for: 'language' }, t('frame.language')),
    select);
}

// --- the views ---------------------------------------------------------------------------------

function showMissing(page) {
  page.title(t('missing.title'));
  replace(page.body, emptyNote(t('missing.text'),
    h('a', { href: toRepositories() }, t('missing.back'))));
}

// What a view gets: body, where it draws; signal, which ends its requests when the user leaves.
function makePage(controller) {
  const body = h('div');
  return {
    body,
    signal: controller.signal,
    title(text, ...more) {
      document.title = `${text} - ${api.self.host || window.location.host}`;
      replace(main, h('div', { class: 'heading' }, h('h1', { tabindex: '-1' }, text), more), body);
    },
    announce(text) {
      status.textContent = text;
    },
    // Puts a changed address into the address bar, without drawing the view again.
    note(hash) {
      window.history.replaceState(null, '', hash);
    },
    again: () => show(),
  };
}

function showFailure(page, error) {
  if (error.status === 401 && ['basic', 'token'].includes(api.self.login) && !api.self.user) {
    drawFrame('sign-in');
    showSignIn(page);
    return;
  }
  if (!main.contains(page.body)) page.title(t('error.title'));
  replace(page.body, errorNote(error.message, () => show()));
  if (!(error instanceof api.Refused)) console.error(error);
}

async function show() {
  running.abort();
  const controller = new AbortController();
  running = controller;
  const route = parse(window.location.hash);
  const page = makePage(controller);
  drawFrame(route.view);
  main.ariaBusy = 'true';
  try {
    await VIEWS[route.view](page, route);
  } catch (error) {
    if (controller.signal.aborted || error.name === 'AbortError') return;
    showFailure(page, error);
  }
  if (controller.signal.aborted) return;
  main.ariaBusy = 'false';
  if (!isFirst && !main.contains(document.activeElement)) {
    const heading = main.querySelector('h1');
    if (heading) heading.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
  isFirst = false;
}

async function start() {
  const asked = new URL(window.location.href).searchParams.get('lang');
  const wanted = [...(asked ? [asked] : []), ...navigator.languages];
  const ready = use(choose(wanted, languages()));
  const known = api.readSelf();
  known.catch(() => {});
  document.body.replaceChildren();
  await ready;
  document.body.append(skipLink(), header, main, footer, status);
  try {
    await known;
  } catch (error) {
    replace(main, h('h1', null, t('error.title')),
      errorNote(error.message, () => window.location.reload()));
    return;
  }
  window.addEventListener('hashchange', show);
  await show();
}

start();
