// The tags of a repository.

import * as api from './api.js';
import { field, h, replace, table, tableRow } from './dom.js';
import { size, t } from './words.js';
import { toComparison, toImage, toSpace, toTags } from './route.js';
import {
  breadcrumbs, chips, emptyNote, moreButton, platformText, searchBox, shortDigest, timeOf,
} from './parts.js';
import { askToDelete } from './delete.js';
import { nameOfType } from './kinds.js';

const PAGE = 50;
const PAGES_AT_ONCE = 20;
const RETRY_MS = 200;
const ARCHITECTURES = ['amd64', 'arm64', 'arm', '386', 'ppc64le', 's390x', 'riscv64', 'loong64'];

function columns() {
  return [{ label: t('tags.tag') }, { label: t('tags.pushed') },
    { label: t('tags.by'), className: 'extra' }, { label: t('tags.pulled') },
    { label: t('tags.size'), className: 'n' },
    { label: t('tags.platforms') }, { label: t('tags.digest'), className: 'extra' },
    { label: t('tags.actions'), isHidden: true, className: 'actions' }];
}

// cosign tags signatures with the digest of what is signed: too long to read.
const DIGEST_TAG = /^(sha256-[0-9a-f]{12})[0-9a-f]{52}(\.(sig|att|sbom))$/;
const TAG_KINDS = { sig: 'signature', att: 'attestation', sbom: 'sbom' };

function tagText(name) {
  return name.replace(DIGEST_TAG, '$1…$2');
}

function platformsOf(tag) {
  const special = DIGEST_TAG.exec(tag.name);
  if (special) return h('span', { class: 'muted' }, t(`kind.${TAG_KINDS[special[3]]}`));
  const texts = (tag.platforms || []).map(platformText).filter((text) => text);
  if (texts.length > 0) return chips([...new Set(texts)], 3);
  return h('span', { class: 'muted' }, nameOfType(tag.artifact_type || tag.media_type));
}

// --- the choice of two tags --------------------------------------------------------------------

// Which tags are ticked, and the bar that leads to the comparison of two.
function makeChoice(repository) {
  const chosen = [];
  const bar = h('div', { class: 'choice', hidden: true, role: 'status' });
  const draw = () => {
    bar.hidden = chosen.length === 0;
    replace(bar, chosen.length === 2
      ? h('a', { class: 'button main', href: toComparison(repository, ...chosen) },
        t('tags.compareTwo', { left: chosen[0], right: chosen[1] }))
      : t('tags.compareHint', { tag: chosen[0] }));
  };
  const box = (name) => {
    const input = h('input', {
      type: 'checkbox', 'aria-label': t('tags.choose', { tag: name }),
      title: t('tags.choose', { tag: name }),
      checked: chosen.includes(name),
      change: () => {
        if (!input.checked) chosen.splice(chosen.indexOf(name), 1);
        else if (chosen.length < 2) chosen.push(name);
        else input.checked = false;
        draw();
      },
    });
    return input;
  };
  return { bar, box };
}

// --- the list ----------------------------------------------------------------------------------

function tagRow(view, tag) {
  const remove = view.mayDelete && h('button', {
    type: 'button', class: 'quiet danger', 'aria-label': t('tags.deleteOne', { tag: tag.name }),
    click: async (event) => {
      const row = event.target.closest('tr');
      const isGone = await askToDelete(view.page, view.repository, { tag: tag.name });
      if (isGone) row.remove();
    },
  }, t('delete.button'));
  return [h('span', { class: 'tag' }, view.choice.box(tag.name),
    h('a', { href: toImage(view.repository, tag.name), title: tag.name }, tagText(tag.name))),
  timeOf(tag.pushed), tag.pushed_by || '', timeOf(tag.pulled), size(tag.bytes), platformsOf(tag),
  shortDigest(tag.digest), remove || ''];
}

// With an architecture, a page of the server may have no tags although more pages follow.
async function load(view, last) {
  const { search, platform, order } = view.query;
  let next = last;
  let answer;
  for (let tries = 0; tries < PAGES_AT_ONCE; tries += 1) {
    answer = await api.getJson(api.withQuery(`v2/${view.repository}/_page/tags`, {
      order: order || 'newest', search, platform, last: next, n: PAGE,
    }), { signal: view.page.signal });
    next = answer.next;
    if (!next || (answer.tags || []).length > 0) break;
  }
  return answer;
}

function isFiltered(view) {
  return Boolean(view.query.search || view.query.platform);
}

function drawRows(view, first) {
  let answer = first;
  const rows = (answer.tags || []).map((tag) => tagRow(view, tag));
  if (rows.length === 0 && !answer.next) {
    replace(view.list, emptyNote(t(isFiltered(view) ? 'tags.noneFound' : 'tags.none')));
    return;
  }
  const list = table(t('tags.of', { repository: view.repository }), columns(), rows,
    { className: 'list tags' });
  const more = moreButton(async () => {
    answer = await load(view, answer.next);
    const added = (answer.tags || []).map((tag) => tableRow(columns(), tagRow(view, tag)));
    list.tBodies[0].append(...added);
    return { isMore: Boolean(answer.next), first: added[0] && added[0].querySelector('a') };
  });
  more.button.hidden = !answer.next;
  replace(view.list, list, more.node);
}

function later(signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, RETRY_MS);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('left', 'AbortError'));
    });
  });
}

// A large repository is read in steps: what is known is shown, and replaced until it is complete.
async function fillList(view) {
  const wanted = JSON.stringify(view.query);
  for (;;) {
    const answer = await load(view);
    if (JSON.stringify(view.query) !== wanted) return;
    view.mayDelete = api.self.delete_enabled && answer.may_delete !== false;
    drawRows(view, answer);
    view.count.textContent = typeof answer.total === 'number'
      ? t('tags.count', { n: answer.total }) : '';
    if (answer.complete !== false) break;
    view.count.textContent = t('tags.reading', { n: answer.total || 0 });
    await later(view.page.signal);
    if (JSON.stringify(view.query) !== wanted) return;
  }
  view.page.announce(view.count.textContent);
}

// --- the tools above it ------------------------------------------------------------------------

function selection(value, options, onChange) {
  const select = h('select', { change: () => onChange(select.value) }, options.map(
    ([code, text]) => h('option', { value: code, selected: code === value }, text),
  ));
  return select;
}

function drawTools(view) {
  const change = (name) => async (value) => {
    view.query = { ...view.query, [name]: value };
    view.page.note(toTags(view.repository, view.query));
    try {
      await fillList(view);
    } catch (error) {
      if (error.name !== 'AbortError') replace(view.list, emptyNote(error.message));
    }
  };
  const { search, platform, order } = view.query;
  const known = platform && !ARCHITECTURES.includes(platform) ? [platform] : [];
  return h('div', { class: 'tools', role: 'search' },
    field(t('tags.search'), searchBox(t('tags.search'), search || '', change('search')), 'wide'),
    field(t('tags.architecture'), selection(platform || '', [['', t('tags.any')],
      ...[...known, ...ARCHITECTURES].map((one) => [one, one])], change('platform'))),
    field(t('tags.order'), selection(order || '', [['', t('tags.newest')],
      ['name', t('tags.byName')]], change('order'))));
}

export async function showTags(page, route) {
  const { repository } = route;
  page.title(repository.split('/').pop(), breadcrumbs(repository));
  const view = {
    page, repository, query: route.query, mayDelete: false, list: h('div'),
    count: h('span', { class: 'muted' }), choice: makeChoice(repository),
  };
  replace(page.body, drawTools(view), h('p', { class: 'summary' }, view.count,
    h('a', { href: toSpace(repository) }, t('tags.space'))), view.list, view.choice.bar);
  await fillList(view);
}
