// SPDX-License-Identifier: BSD-2-Clause
// The list of conversations, with people and of groups: the last message and its time, what is unread, mentions, drafts.
import {avatar, groupAvatar} from './avatar.js';
import {KeyedList, cutOff, el, iconButton} from './dom.js';
import {shortTime} from './format.js';
import {t} from './i18n.js';
import {nameList} from './name_list.js';
import {openNewGroup} from './new_group_dialog.js';
import {chatAddress} from './room_key.js';
import {isSystem} from './system_text.js';

const NAMED_MAX = 100; // conversations at the top of the list whose last senders' names are asked for

export class ChatListView {
    #chat;
    #current = null; // key of the open conversation
    #list = el('ul.list');
    #empty = el('p.empty', {hidden: true});
    #filter = el('input.filter', {type: 'search', placeholder: t('side.filter'), dir: 'auto', 'aria-label': t('side.filter'),
        oninput: () => this.refresh()});
    #keyed = new KeyedList(this.#list, ({row}) => rowNode(row));
    node = el('div.chats', {}, el('div.search', {}, this.#filter,
        iconButton('group-new', t('group.new'), () => openNewGroup(this.#chat), {class: 'icon-button new-group', 'aria-haspopup': 'dialog'})),
    this.#list, this.#empty);

    constructor(chat) {
        this.#chat = chat;
    }

    focus() {
        (this.#list.querySelector('.chat') ?? this.#filter).focus();
    }

    setCurrent(key) {
        this.#current = key;
        this.refresh();
    }

    refresh() {
        const wanted = this.#filter.value.trim().toLowerCase();
        const all = this.#chat.conversations.list();
        this.#chat.wantNames(all.slice(0, NAMED_MAX).map((c) => c.last).filter(Boolean));
        const rows = all.map((c) => this.#row(c))
            .filter((row) => wanted === '' || `${row.name} ${row.userId ?? ''}`.toLowerCase().includes(wanted));
        this.#keyed.show(rows.map((row) => ({key: row.key, version: JSON.stringify(row), row})));
        this.#empty.hidden = rows.length > 0 || !(this.#chat.synced || all.length > 0);
        this.#empty.textContent = t(all.length === 0 ? 'side.noChats' : 'side.noMatch');
    }

    #row(c) {
        const {drafts} = this.#chat;
        const {key} = c;
        const current = key === this.#current;
        const draft = current ? null : drafts.of(key)?.text || null;
        return {key, name: this.#chat.title(c), current, time: shortTime(c.sortTime), unread: c.unread, mentions: c.mentions,
            typing: this.#typingText(c), draft, ...this.#last(c), ...c.isGroup ? this.#group(c) : this.#person(c)};
    }

    #person(c) {
        const {people} = this.#chat;
        const userId = c.peer.user_id;
        return {userId, profile: people.profile(userId), trusted: people.isTrusted(userId), online: people.isOnline(userId)};
    }

    #group({id, group: {avatar_url, dissolved_at}}) {
        return {groupId: id, picture: avatar_url, dissolved: dissolved_at !== null};
    }

    #typingText({typing, isGroup}) {
        if (typing.length === 0)
            return null;
        return isGroup ? typingText(typing.map((id) => this.#chat.people.name(id))) : t('side.typing');
    }

    // The last message: its text, who said it, and whether it was read.
    #last(c) {
        const {me, people} = this.#chat;
        const {last} = c;
        if (last === null)
            return {text: t('side.hello'), own: false, ticks: null, sender: null};
        const text = this.#chat.shortText(last);
        const spoken = !last.is_recalled && !isSystem(last);
        const own = spoken && last.from_user_id === me;
        const read = last.is_read || last.seq <= c.readByOthers(me);
        return {text, own, ticks: own ? read ? 'read' : 'sent' : null,
            sender: spoken && !own && c.isGroup ? people.name(last.from_user_id) : null};
    }
}

// names: those who are writing to a group.
export function typingText(names) {
    return t(names.length === 1 ? 'typing.one' : 'typing.many', {names: nameList(names)});
}

function rowNode(row) {
    return el('li', {}, el('a.chat', {href: chatAddress(row.key), 'data-user': row.userId, 'data-group': row.groupId,
        'aria-current': row.current ? 'true' : null},
    row.groupId === undefined ? avatar(row.profile, row.trusted, row.online) :
        groupAvatar({name: row.name, avatar_url: row.picture}, true),
    el('span.chat-text', {},
        el('span.chat-top', {}, cutOff('strong.name', row.name), row.dissolved && el('small', {}, t('side.dissolved')), el('time', {}, row.time)),
        el('span.chat-bottom', {}, preview(row), badges(row)))));
}

function badges({unread, mentions}) {
    return el('span.badges', {},
        mentions > 0 && el('span.badge.mentions', {role: 'img', 'aria-label': t('mention.badge', {count: mentions})}, '@'),
        unread > 0 && el('span.badge', {role: 'img', 'aria-label': t('side.unread', {count: unread})}, unread > 99 ? '99+' : String(unread)));
}

function preview({typing, draft, own, text, ticks, sender}) {
    if (typing !== null)
        return el('span.preview.typing', {}, cutOff('span', typing));
    if (draft !== null)
        return el('span.preview', {}, el('em', {}, t('side.draft')), cutOff('span', draft));
    return el('span.preview', {}, own && el(`span.preview-own.${ticks}`, {}, t('side.you')),
        sender !== null && [cutOff('span.preview-sender', sender), el('span', {}, t('side.by'))], cutOff('span', text));
}
