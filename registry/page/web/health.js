// Is the registry well: storage, uploads, certificate, collection, failed logins.

import * as api from './api.js';
import { definitions, h, replace, table } from './dom.js';
import { age, date, number, percent, size, t } from './words.js';
import { panel, timeOf } from './parts.js';

const SOON_MS = 21 * 86400 * 1000;
const LITTLE = 0.1; // of the storage

function state(isGood, text) {
  return h('span', { class: isGood ? 'good' : 'bad' }, text);
}

function emptyPanel(title, text) {
  return panel(t(title), h('p', { class: 'muted' }, t(text)));
}

function storageState(storage, isFull) {
  if (storage.reachable === false) return state(false, t('health.unreachable'));
  if (storage.writable === false) return state(false, t('health.readonly'));
  return state(!isFull, t(isFull ? 'health.full' : 'health.fine'));
}

function storagePanel(storage) {
  const one = storage || {};
  const isKnown = one.total > 0;
  const isFull = isKnown && one.free / one.total < LITTLE;
  return panel(t('health.storage'), definitions([
    [t('health.state'), storageState(one, isFull)],
    [t('health.free'), isKnown && `${size(one.free)} (${percent(one.free / one.total)})`],
    [t('health.totalSpace'), isKnown && size(one.total)],
  ]), isKnown && h('meter', {
    min: 0, max: one.total, value: one.total - one.free, 'aria-label': t('health.used'),
  }));
}

function uploadsPanel(uploads, isMore) {
  const list = Array.isArray(uploads) ? uploads : [];
  if (list.length === 0) return emptyPanel('health.uploads', 'health.noUploads');
  return panel(t('health.uploads'), table(t('health.uploads'), [{ label: t('repositories.name') },
    { label: t('health.started') }, { label: t('image.size'), className: 'n' }], list.map((one) => [
    one.repository, timeOf(one.started), size(one.bytes)]), { className: 'list' }),
  isMore && h('p', { class: 'muted' }, t('health.moreUploads')));
}

function certificatePanel(certificate) {
  if (!certificate) return emptyPanel('health.certificate', 'health.noCertificate');
  const left = Date.parse(certificate.not_after) - Date.now();
  const key = left < 0 ? 'health.expired' : left < SOON_MS ? 'health.expires' : 'health.valid';
  return panel(t('health.certificate'), definitions([
    [t('health.state'), state(left >= SOON_MS, t(key, { age: age(certificate.not_after) }))],
    [t('health.notAfter'), date(certificate.not_after)],
    [t('health.names'), Array.isArray(certificate.names) && certificate.names.join(', ')],
  ]));
}

function collectionPanel(last) {
  if (!last) return emptyPanel('health.collection', 'health.noCollection');
  const results = { done: ['health.done', true], failed: ['health.error', false] };
  const [text, isGood] = results[last.result] || [];
  return panel(t('health.collection'), definitions([
    [t('health.completed'), last.completed && timeOf(last.completed)],
    [t('health.scheduled'), last.started && timeOf(last.started)],
    [t('health.result'), text && state(isGood, t(text))],
  ]));
}

function loginsPanel(logins) {
  const one = logins || {};
  const last = Array.isArray(one.last) ? one.last : [];
  return panel(t('health.logins'), h('p', null, t('health.failed', { n: one.count || 0 }), ' ',
    one.since && t('health.since', { time: date(one.since) })),
  last.length > 0 && table(t('health.logins'), [{ label: t('health.time') },
    { label: t('health.user') }, { label: t('health.address') }], last.map((entry) => [
    timeOf(entry.time), entry.user || '', entry.address || '']), { className: 'list' }));
}

export async function showHealth(page) {
  page.title(t('health.title'));
  const got = await api.getJson('v2/_page/health', { signal: page.signal });
  replace(page.body, h('div', { class: 'columns' }, storagePanel(got.storage),
    certificatePanel(got.certificate), collectionPanel(got.last_collection)),
  h('div', { class: 'columns' }, uploadsPanel(got.uploads, got.more_uploads),
    loginsPanel(got.failed_logins)));
  page.announce(t('health.ready', { n: number((got.uploads || []).length) }));
}
