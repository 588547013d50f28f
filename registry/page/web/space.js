// What fills the disk: a picture, the same as a table, and how it grew.

import * as api from './api.js';
import { definitions, h, replace, svg, table } from './dom.js';
import { date, percent, size, t } from './words.js';
import { breadcrumbs, emptyNote, panel, timeOf, whenQuiet } from './parts.js';
import { toImage, toSpace, toTags } from './route.js';
import { layOut } from './treemap.js';

const BOXES = 40; // more cannot be told apart
const [WIDTH, HEIGHT] = [1000, 300];
const ROWS = 200;

function bytesOf(one) {
  return (one.alone || 0) + (one.shared || 0);
}

// --- the picture -------------------------------------------------------------------------------

function boxLabel(box, text) {
  if (box.width < 60 || box.height < 34) return null;
  const most = Math.floor(box.width / 8.5);
  const short = text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text;
  return [svg('text', { x: box.x + 8, y: box.y + 20, class: 'box-name' }, short),
    box.height > 48 && svg('text', { x: box.x + 8, y: box.y + 38, class: 'box-size' },
      size(box.item.value))];
}

// Each name with what it holds alone, and more boxes, such as one for all that is shared.
function picture(items, more, width) {
  const list = items.filter((one) => one.alone > 0).sort((a, b) => b.alone - a.alone);
  const shown = list.slice(0, BOXES)
    .map((one) => ({ name: one.name, href: one.href, value: one.alone }));
  const rest = list.slice(BOXES).reduce((sum, one) => sum + one.alone, 0);
  if (rest > 0) shown.push({ name: t('space.others'), value: rest, className: 'rest' });
  shown.push(...more.filter((one) => one.value > 0));
  shown.sort((a, b) => b.value - a.value);
  const height = width < 600 ? 360 : HEIGHT;
  return svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'treemap', 'aria-hidden': 'true' },
    layOut(shown, width, height).map((box, at) => svg('g', {
      class: box.item.className || `tone-${Math.min(at, 5)}`,
      click: () => { if (box.item.href) window.location.hash = box.item.href; },
    }, svg('title', null, `${box.item.name}: ${size(box.item.value)}`), svg('rect', {
      x: box.x + 1, y: box.y + 1, rx: 3,
      width: Math.max(0, box.width - 2), height: Math.max(0, box.height - 2),
    }), boxLabel(box, box.item.name))));
}

function growth(history) {
  const points = (Array.isArray(history) ? history : [])
    .map((one) => [Date.parse(one.time), Number(one.bytes)])
    .filter(([time, bytes]) => Number.isFinite(time) && Number.isFinite(bytes));
  if (points.length < 2) return h('p', { class: 'muted' }, t('space.noHistory'));
  const [first, last] = [points[0], points[points.length - 1]];
  const most = Math.max(1, ...points.map(([, bytes]) => bytes));
  const length = Math.max(1, last[0] - first[0]);
  const across = (time) => ((time - first[0]) / length) * WIDTH;
  const line = points.map(([time, bytes]) => `${across(time)},${130 - (bytes / most) * 120}`)
    .join(' ');
  const from = { time: date(first[0]), size: size(first[1]) };
  const to = { time: date(last[0]), size: size(last[1]) };
  return h('figure', null, svg('svg', {
    viewBox: `0 0 ${WIDTH} 132`, class: 'growth', role: 'img', preserveAspectRatio: 'none',
    'aria-label': t('space.grew', { from: from.size, then: from.time, to: to.size, now: to.time }),
  }, svg('polygon', { points: `0,130 ${line} ${WIDTH},130` }), svg('polyline', { points: line })),
  h('figcaption', null, h('span', null, `${from.time}: ${from.size}`),
    h('span', null, `${to.time}: ${to.size}`)));
}

// --- the tables --------------------------------------------------------------------------------

function spaceTable(caption, label, items) {
  const most = Math.max(1, ...items.map(bytesOf));
  const rows = items.slice(0, ROWS).map((one) => [h('a', { href: one.href }, one.name),
    h('meter', { min: 0, max: most, value: bytesOf(one), 'aria-label': t('space.share') }),
    size(bytesOf(one)), size(one.alone), size(one.shared)]);
  return [table(caption, [{ label }, { label: t('space.share'), isHidden: true },
    { label: t('space.all'), className: 'n' }, { label: t('space.alone'), className: 'n' },
    { label: t('space.shared'), className: 'n' }], rows, { className: 'list space' }),
  items.length > ROWS && h('p', { class: 'muted' }, t('space.first', { n: ROWS }))];
}

function sharedBox(bytes) {
  return { name: t('space.shared'), value: bytes, className: 'shared' };
}

// Draws the picture as wide as the window lets it be, so that its texts keep their size.
function pictureThatFits(page, items, boxes) {
  const place = h('div');
  const fit = () => {
    const width = Math.max(300, Math.min(1100, page.body.clientWidth || 900) - 2);
    replace(place, picture(items, boxes, width));
  };
  fit();
  window.addEventListener('resize', whenQuiet(fit), { signal: page.signal });
  return place;
}

function draw(page, pairs, items, boxes, caption, label, more) {
  replace(page.body, definitions(pairs, 'figures'),
    items.length > 0 ? panel(t('space.picture'), pictureThatFits(page, items, boxes),
      h('p', { class: 'hint' }, t('space.hint'))) : emptyNote(t('space.none')),
    more, items.length > 0 && panel(caption, spaceTable(caption, label, items)));
}

function largest(list, hrefOf) {
  return (Array.isArray(list) ? list : []).map((one) => ({ ...one, href: hrefOf(one.name) }))
    .sort((a, b) => bytesOf(b) - bytesOf(a));
}

async function showRepository(page, repository) {
  page.title(t('space.title'), breadcrumbs(repository, t('space.title')));
  const got = await api.getJson(`v2/${repository}/_page/space`, { signal: page.signal });
  const items = largest(got.tags, (name) => toImage(repository, name));
  const untagged = { name: t('space.untagged'), value: got.untagged || 0, className: 'rest' };
  const shared = sharedBox((got.alone || 0) + (got.shared || 0) - untagged.value
    - items.reduce((sum, one) => sum + (one.alone || 0), 0));
  draw(page, [[t('space.all'), size((got.alone || 0) + (got.shared || 0))],
    [t('space.aloneRepository'), size(got.alone)], [t('space.sharedRepository'), size(got.shared)],
    [t('space.tags'), h('a', { href: toTags(repository) }, repository)]],
  items, [shared, untagged], t('space.byTag'), t('tags.tag'),
  got.complete === false && h('p', { class: 'muted' }, t('space.newest')));
  page.announce(t('space.ready'));
}

export async function showSpace(page, route) {
  if (route.repository) {
    await showRepository(page, route.repository);
    return;
  }
  page.title(t('space.title'));
  const got = await api.getJson('v2/_page/space', { signal: page.signal });
  const items = largest(got.repositories, toSpace);
  draw(page,
       [
           [ t('space.total'), size(got.total) ],
           [
               t('space.sharedTotal'),
               got.total > 0 && `${size(got.shared)} (${percent(got.shared / got.total)})`
           ],
           [
               t('space.freed'),
               typeof got.free_by_collection === 'number' && size(got.free_by_collection)
           ],
           [ t('space.asOf'), timeOf(got.as_of) ]
       ],
       items, [ sharedBox(got.shared || 0) ], t('space.byRepository'), t('repositories.name'),
       got.history && panel(t('space.growth'), growth(got.history)));
  page.announce(t('space.ready'));
}
