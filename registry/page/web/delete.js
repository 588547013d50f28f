// Deletion: says what goes, asks, deletes and tells.

import * as api from './api.js';
import { h, replace } from './dom.js';
import {number, size, t} from './words.js';

const SHOWN_TAGS = 10;

function otherTags(consequences, target) {
  return (consequences.tags || []).filter((name) => name !== target.tag);
}

// What goes along, as a list.
function consequenceList(consequences, target) {
  const tags = otherTags(consequences, target);
  const names = tags.slice(0, SHOWN_TAGS).join(', ');
  const count = Math.max(consequences.tag_count || 0, tags.length);
  const rest = count - Math.min(tags.length, SHOWN_TAGS);
  return h('ul', null,
    target.tag && h('li', null, t('delete.tagOnly')),
    !target.tag && tags.length > 0 && h('li', null, t('delete.tags', { n: count }), ' ',
      names, rest > 0 && ` ${t('delete.more', { n: rest })}`),
    consequences.referrers > 0
      && h('li', null, t('delete.referrers', { n: consequences.referrers })),
    (consequences.bytes_freed > 0 || (!target.tag && consequences.bytes_freed === 0))
      && h('li', null, t('delete.freed', { size: size(consequences.bytes_freed) })));
}

// Asks until all tags were read; the list grows meanwhile. Resolves to false if the user left.
async function showConsequences(page, repository, target, dialog, list)
{
    const all = {tags : [], tag_count : 0};
    let last = '';
    do {
        const part = await api.getJson(
            api.withQuery(`v2/${repository}/_page/consequences`, {...target, last}),
            {signal : page.signal});
        if (!dialog.open)
            return false;
        Object.assign(all, part, {
            tags : [...all.tags, ...(part.tags || []) ].slice(0, SHOWN_TAGS + 1),
            tag_count : all.tag_count + (part.tag_count || 0)
        });
        last = part.next || '';
        replace(list, consequenceList(all, target),
                last && h('p', {class : 'muted'},
                          t('delete.reading', {n : part.seen, total : number(part.total)})));
    } while (last);
    return true;
}

function nameOf(repository, target) {
  return target.tag ? `${repository}:${target.tag}` : `${repository}@${target.digest}`;
}

// Resolves to true if it was deleted. target: {tag} or {digest}.
export async function askToDelete(page, repository, target) {
  const opener = document.activeElement;
  const title = target.tag ? t('delete.tagTitle', { tag: target.tag }) : t('delete.manifestTitle');
  const body = h('div', {class : 'consequences'});
  const failure = h('p', { class: 'failure', role: 'alert' });
  const cancel = h('button', { type: 'button', click: () => dialog.close() }, t('delete.cancel'));
  const confirm = h('button', { type: 'button', class: 'danger main', disabled: true },
    t('delete.confirm'));
  const dialog = h('dialog', { 'aria-labelledby': 'delete-title' },
    h('h2', { id: 'delete-title' }, title),
    h('p', { class: 'breakable' }, h('code', null, nameOf(repository, target))), body, failure,
    h('div', { class: 'buttons' }, cancel, confirm));
  document.body.append(dialog);
  dialog.showModal();
  cancel.focus();
  let isDeleted = false;
  const closed = new Promise((resolve) => { dialog.addEventListener('close', resolve); });
  confirm.addEventListener('click', async () => {
    confirm.disabled = true;
    try {
      await api.deleteManifest(repository, target.tag || target.digest);
      isDeleted = true;
      dialog.close();
    } catch (error) {
      failure.textContent = error.message;
      confirm.disabled = false;
    }
  });
  try {
      const list = h('div', null, h('p', {class : 'muted'}, t('list.loading')));
      replace(body, list, h('p', null, h('strong', null, t('delete.forever'))));
      confirm.disabled = !await showConsequences(page, repository, target, dialog, list);
  } catch (error) {
    replace(body, h('p', { class: 'failure' }, error.message));
  }
  await closed;
  dialog.remove();
  if (isDeleted) page.announce(t('delete.done', { name: nameOf(repository, target) }));
  if (opener && opener.isConnected) opener.focus();
  return isDeleted;
}
