// The list of repositories: by path, or what a search finds.

import * as api from './api.js';
import { field, h, replace, table, tableRow } from './dom.js';
import { t } from './words.js';
import { breadcrumbs, emptyNote, moreButton, searchBox, timeOf } from './parts.js';
import { toRepositories, toTags } from './route.js';
import { firstVisit } from './first-visit.js';

const PAGE = 100;

function columns() {
  return [{ label: t('repositories.name') }, { label: t('repositories.content') },
    { label: t('repositories.updated') }];
}

// The part of a name below the current path; with a search, the whole name.
function repositoryRow(one, path) {
  const name = one.name.startsWith(path) ? one.name.slice(path.length) : one.name;
  return [h('a', { href: toTags(one.name) }, name),
    typeof one.tags === 'number' ? t('tags.count', { n: one.tags }) : '', timeOf(one.updated)];
}

function groupRow(group, path) {
  return [h('a', { class: 'group', href: toRepositories(group.path) },
    group.path.slice(path.length)), t('repositories.count', { n: group.repositories }), ''];
}

function load(page, path, search, last) {
  return api.getJson(api.withQuery('v2/_page/repositories', {
    path, search, last, n: PAGE, group: search ? '' : '1',
  }), { signal: page.signal });
}

async function fillList(page, place, path, search) {
  let answer = await load(page, path, search);
  if (place.wanted !== search) return;
  const base = search ? '' : path;
  const rowsOf = (got) => [...(got.groups || []).map((one) => groupRow(one, base)),
    ...(got.repositories || []).map((one) => repositoryRow(one, base))];
  const rows = rowsOf(answer);
  if (rows.length === 0) {
    replace(place.list, search ? emptyNote(t('repositories.none', { search })) : firstVisit(path));
    page.announce(search ? t('repositories.none', { search }) : t('first.title'));
    return;
  }
  const list = table(t('repositories.title'), columns(), rows, { className: 'list' });
  const more = moreButton(async () => {
    answer = await load(page, path, search, answer.next);
    const added = rowsOf(answer).map((cells) => tableRow(columns(), cells));
    list.tBodies[0].append(...added);
    return { isMore: Boolean(answer.next), first: added[0] && added[0].querySelector('a') };
  });
  more.button.hidden = !answer.next;
  replace(place.list, list, more.node);
  page.announce(t(answer.next ? 'list.some' : 'list.all', { n: rows.length }));
}

export async function showRepositories(page, route) {
  const { path } = route;
  const search = route.query.search || '';
  page.title(path || t('repositories.title'), path && breadcrumbs(path));
  const place = { list: h('div'), wanted: search };
  const input = searchBox(t('repositories.search'), search, async (text) => {
    place.wanted = text;
    page.note(toRepositories(path, { search: text }));
    try {
      await fillList(page, place, path, text);
    } catch (error) {
      if (error.name !== 'AbortError') replace(place.list, emptyNote(error.message));
    }
  });
  const label = path ? t('repositories.searchBelow', { path }) : t('repositories.search');
  const tools = h('div', { class: 'tools', role: 'search' }, field(label, input, 'wide'));
  replace(page.body, tools, place.list);
  await fillList(page, place, path, search);
  // Nothing to search in an empty registry.
  tools.hidden = !search && !place.list.querySelector('table');
}
