// SPDX-License-Identifier: BSD-2-Clause
// The list of conversations: whom with, the last message and its time, what is unread, drafts.
import {avatar} from './avatar.js';
import {KeyedList, cutOff, el} from './dom.js';
import {nameOf, shortTime} from './format.js';
import {t} from './i18n.js';
import {shortText} from './message_view.js';

export class ChatListView {
    #chat;
    #current = null; // user id of the open conversation
    #list = el('ul.list');
    #empty = el('p.empty', {hidden: true});
    #filter = el('input.filter', {type: 'search', placeholder: t('side.filter'), dir: 'auto', 'aria-label': t('side.filter'),
        oninput: () => this.refresh()});
    #keyed = new KeyedList(this.#list, ({row}) => rowNode(row));
    node = el('div.chats', {}, el('div.search', {}, this.#filter), this.#list, this.#empty);

    constructor(chat) {
        this.#chat = chat;
    }

    setCurrent(userId) {
        this.#current = userId;
        this.refresh();
    }

    refresh() {
        const wanted = this.#filter.value.trim().toLowerCase();
        const all = this.#chat.conversations.list();
        const rows = all.map((c) => this.#row(c))
            .filter((row) => wanted === '' || `${row.name} ${row.userId}`.toLowerCase().includes(wanted));
        this.#keyed.show(rows.map((row) => ({key: row.userId, version: JSON.stringify(row), row})));
        this.#empty.hidden = rows.length > 0 || !(this.#chat.synced || all.length > 0);
        this.#empty.textContent = t(all.length === 0 ? 'side.noChats' : 'side.noMatch');
    }

    #row(c) {
        const {people, drafts, me} = this.#chat;
        const userId = c.peer.user_id;
        const current = userId === this.#current;
        const profile = people.profile(userId);
        const draft = current ? null : drafts.of(userId)?.text || null;
        const own = c.last !== null && c.last.from_user_id === me && !c.last.is_recalled;
        const ticks = own && (c.last.is_read || c.last.seq <= c.peerReadSeq) ? 'read' : 'sent';
        return {userId, profile, trusted: people.isTrusted(userId), name: nameOf(profile), online: people.isOnline(userId), current,
            time: shortTime(c.sortTime), unread: c.unread, typing: c.typing, draft, own, ticks: own ? ticks : null,
            text: c.last === null ? t('side.hello') : shortText(c.last, me)};
    }
}

export function chatAddress(userId) {
    return `#/${encodeURIComponent(userId)}`;
}

function rowNode(row) {
    return el('li', {}, el('a.chat', {href: chatAddress(row.userId), 'data-user': row.userId,
        'aria-current': row.current ? 'true' : null},
    avatar(row.profile, row.trusted, row.online),
    el('span.chat-text', {},
        el('span.chat-top', {}, cutOff('strong.name', row.name), el('time', {}, row.time)),
        el('span.chat-bottom', {}, preview(row), row.unread > 0 &&
            el('span.badge', {role: 'img', 'aria-label': t('side.unread', {count: row.unread})},
                row.unread > 99 ? '99+' : String(row.unread))))));
}

function preview({typing, draft, own, text, ticks}) {
    if (typing)
        return el('span.preview.typing', {}, t('side.typing'));
    if (draft !== null)
        return el('span.preview', {}, el('em', {}, t('side.draft')), cutOff('span', draft));
    return el('span.preview', {}, own && el(`span.preview-own.${ticks}`, {}, t('side.you')), cutOff('span', text));
}
