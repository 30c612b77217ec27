// SPDX-License-Identifier: BSD-2-Clause
// Who has seen a message of the user's in a group. It follows what is read while it is open.
import {avatar} from './avatar.js';
import {cutOff, el, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {nameOf, shortTime} from './format.js';
import {reasonOf, t} from './i18n.js';

export async function openReceipts(chat, c, message) {
    const summary = el('p.hint', {role: 'status'}, t('room.loading'));
    const list = el('ul.list.plain');
    const more = textButton('quiet', t('members.more'), () => load(), {hidden: true});
    const dialog = openDialog(t('receipts.title'), summary, list, more);
    const items = new Map(); // user id -> read_at
    const asked = new Set(); // readers who were heard of, and looked for; of those who have left the server tells no more
    let cursor = null, total = 0;

    const show = () => {
        const known = [...items.keys()];
        const rows = [...items].map(([user_id, read_at]) => {
            const profile = chat.people.profile(user_id);
            return el('li.person', {'data-user': user_id}, avatar(profile, chat.people.isTrusted(user_id)),
                el('span.person-text', {}, cutOff('strong.name', nameOf(profile)), el('time', {datetime: read_at}, shortTime(read_at))));
        });
        summary.textContent = total === 0 ? t('receipts.nobody') : t('receipts.count', {count: Math.max(total, known.length)});
        list.replaceChildren(...rows);
        more.hidden = cursor === null;
    };
    const load = async () => {
        try {
            const page = await chat.groups.receipts(c, message, cursor);
            if (page === null) {
                summary.textContent = t('receipts.tooMany');
                return;
            }
            page.items.forEach(({user_id, read_at}) => items.set(user_id, read_at));
            ({next_cursor: cursor, read_count: total} = page);
            chat.people.want(items.keys());
            show();
        } catch (problem) {
            asked.clear();
            summary.textContent = reasonOf(problem);
        }
    };
    // The first page anew where somebody has read it since.
    const follow = () => {
        const fresh = [...c.readers].filter(([id, seq]) => id !== chat.me && seq >= message.seq && !items.has(id) && !asked.has(id));
        fresh.forEach(([id]) => asked.add(id));
        if (fresh.length > 0 && cursor === null)
            load();
        else if (total > 0)
            show();
    };
    const stop = chat.changes.listen(follow);
    dialog.addEventListener('close', stop);
    await load();
}
