// SPDX-License-Identifier: BSD-2-Clause
// The list of conversations, with people and of groups: the last message and its time, what is unread, mentions, drafts,
// what is pinned or muted. The archived ones are in a list behind it.
import {avatar, groupAvatar} from './avatar.js';
import {conversationMenu, mutedText} from './conversation_menu.js';
import {openMenu} from './dialog.js';
import {KeyedList, cutOff, el, icon, iconButton, sign} from './dom.js';
import {shortTime} from './format.js';
import {t} from './i18n.js';
import {ticksNode} from './message_view.js';
import {nameList} from './name_list.js';
import {openNewGroup} from './new_group_dialog.js';
import {Portion} from './portion.js';
import {chatAddress} from './room_key.js';
import {SearchFilters} from './search_filters.js';
import {SearchResults} from './search_results.js';
import {isSystem} from './system_text.js';
import {storedStatus} from './timeline_rows.js';
import {walkBy} from './list_walk.js';

const NAMED_MAX = 100; // conversations at the top of the list whose last senders' names are asked for
const FOUND_MAX = 50; // conversations that are shown of those with a name that is searched for

export class ChatListView {
    #chat;
    #on;
    #current = null; // key of the open conversation
    #archived = false; // which list is shown
    #list = el('ul.list');
    #empty = el('p.empty', {hidden: true});
    #filter = el('input.filter', {type: 'search', placeholder: t('side.filter'), dir: 'auto', 'aria-label': t('side.filter'),
        oninput: () => this.#filtered()});
    #keyed = new KeyedList(this.#list, ({row}) => rowNode(row, (anchor, at) => this.#openMenu(row.key, anchor, at)));
    #portion = new Portion(() => this.refresh());
    #filters;
    #results;
    #chatsHead = el('h3.list-head', {hidden: true}, t('search.chats'));
    #found = el('section.found-messages', {hidden: true});
    #archive = el('button.archive', {type: 'button', hidden: true, onclick: () => this.#showArchive(true)});
    #archiveHead = el('div.archive-head', {hidden: true}, iconButton('back', t('archive.back'), () => this.#showArchive(false)), el('h2', {}, t('archive.title')));
    node = el('div.chats', {}, el('div.search', {}, this.#filter,
        iconButton('group-new', t('group.new'), () => openNewGroup(this.#chat), {class: 'icon-button new-group', 'aria-haspopup': 'dialog'})),
    this.#archiveHead, this.#archive, this.#chatsHead, this.#list, this.#empty);

    // on.away(conversation): it is not to be shown any longer; on.message(item): to one that was found
    constructor(chat, on) {
        this.#chat = chat;
        this.#on = on;
        this.#filters = new SearchFilters(chat, () => this.#search(true));
        this.#results = new SearchResults(chat, false, {choose: on.message, again: () => this.#search(true)});
        this.#found.append(el('div.found-head', {}, el('h3', {}, t('search.messages')), this.#filters.button), this.#filters.node, this.#results.node);
        this.node.append(this.#found);
        this.node.addEventListener('keydown', (event) => this.#key(event));
    }

    // The list scrolls in that node.
    follow(scroller) {
        this.#portion.follow(scroller);
        this.#results.follow(scroller);
    }

    #filtered() {
        if (this.#filter.value.trim() !== '' && this.#found.hidden)
            this.#filters.open(null);
        this.#portion.reset();
        this.refresh();
        this.#search(false);
    }

    #search(now) {
        this.#results.set(this.#filter.value, this.#filters.value, now);
    }

    #key(event) {
        if (event.isComposing || event.keyCode === 229)
            return;
        if (event.key === 'Enter' && event.target === this.#filter)
            this.#search(true);
        else if (event.key === 'Escape' && this.#filter.value !== '') {
            this.#filter.value = '';
            this.#filtered();
            this.#filter.focus();
        } else if (!walkBy(event, [this.#filter, ...this.node.querySelectorAll('.archive, .chat, .result')].filter((node) => node.checkVisibility?.() ?? true)))
            return;
        event.preventDefault();
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
        const {conversations} = this.#chat;
        const archived = conversations.list(true);
        const all = wanted === '' ? conversations.list(this.#archived) : [...conversations.list(), ...archived];
        this.#showArchiveHead(archived, wanted === '');
        this.#chat.wantNames(all.slice(0, NAMED_MAX).map((c) => c.last).filter(Boolean));
        const found = wanted === '' ? all : all.filter((c) => this.#isFound(c, wanted));
        this.#portion.begin();
        // Under what is found are messages, which go on as one scrolls.
        const rows = (wanted === '' ? this.#portion.of(found) : found.slice(0, FOUND_MAX)).map((c) => this.#row(c));
        this.#keyed.show(rows.map((row) => ({key: row.key, version: JSON.stringify(row), row})));
        this.#chatsHead.hidden = wanted === '' || rows.length === 0;
        this.#found.hidden = wanted === '';
        this.#results.refresh();
        this.#empty.hidden = rows.length > 0 || (wanted !== '' && wanted.length > 1) || !(this.#chat.synced || all.length > 0);
        this.#empty.textContent = t(all.length > 0 || wanted !== '' ? 'side.noMatch' : this.#archived ? 'archive.empty' : 'side.noChats');
    }

    #isFound(c, wanted) {
        return `${this.#chat.title(c)} ${c.peer?.user_id ?? ''}`.toLowerCase().includes(wanted);
    }

    #showArchive(archived) {
        this.#archived = archived;
        this.#portion.reset();
        this.refresh();
        (archived ? this.#archiveHead.querySelector('button') : this.#archive).focus();
    }

    #showArchiveHead(archived, asList) {
        const count = archived.filter((c) => c.isUnread).length;
        this.#archiveHead.hidden = !(asList && this.#archived);
        this.#archive.hidden = !asList || this.#archived || archived.length === 0;
        const shown = `${archived.length} ${count}`;
        if (this.#archive.dataset.shown === shown)
            return;
        this.#archive.dataset.shown = shown;
        this.#archive.replaceChildren(el('span.archive-icon', {'aria-hidden': 'true'}, icon('archive')), el('span', {}, t('archive.title')),
            count > 0 && el('span.badge.quiet-badge', {role: 'img', 'aria-label': t('archive.unread', {count})}, String(count)) || '');
    }

    // at: where the pointer is, or null
    #openMenu(key, anchor, at) {
        const c = this.#chat.conversations.withKey(key);
        openMenu(anchor, t('conv.menu', {name: this.#chat.title(c)}), conversationMenu(this.#chat, c, () => this.#on.away(c)),
            at === null ? anchor : {getBoundingClientRect: () => new DOMRect(at.x, at.y, 0, 0)});
    }

    #row(c) {
        const {drafts} = this.#chat;
        const {key} = c;
        const current = key === this.#current;
        const draft = current ? null : drafts.of(key)?.text || null;
        const {pinned_at, marked_unread, archived} = c.settings;
        return {key, name: this.#chat.title(c), current, time: shortTime(c.sortTime), unread: c.unread, mentions: c.mentions,
            muted: c.isMuted ? mutedText(c) : null, pinned: pinned_at !== null, marked: marked_unread, archived: archived && !this.#archived,
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

    // The last message: its text, who said it, and how far it has come.
    #last(c) {
        const {me, people} = this.#chat;
        const {last} = c;
        if (last === null)
            return {text: t('side.hello'), own: false, status: null, sender: null};
        const text = this.#chat.shortText(last);
        const spoken = !last.is_recalled && !isSystem(last);
        const own = spoken && last.from_user_id === me;
        return {text, own, status: own ? storedStatus(c, last, c.readByOthers(me)) : null,
            sender: spoken && !own && c.isGroup ? people.name(last.from_user_id) : null};
    }
}

// names: those who are writing to a group.
export function typingText(names) {
    return t(names.length === 1 ? 'typing.one' : 'typing.many', {names: nameList(names)});
}

// openMenu(anchor, at)
function rowNode(row, openMenu) {
    const link = chatLink(row);
    const more = iconButton('more', t('conv.menu', {name: row.name}), () => openMenu(more, null), {class: 'icon-button more', tabindex: '-1', 'aria-haspopup': 'menu'});
    link.addEventListener('contextmenu', (event) => {
        event.preventDefault();
        openMenu(link, event.clientX > 0 || event.clientY > 0 ? {x: event.clientX, y: event.clientY} : null); // without a pointer, by a key
    });
    return el('li', {}, link, more);
}

function chatLink(row) {
    return el('a.chat', {href: chatAddress(row.key), 'data-user': row.userId, 'data-group': row.groupId,
        'aria-current': row.current ? 'true' : null},
    row.groupId === undefined ? avatar(row.profile, row.trusted, row.online) :
        groupAvatar({name: row.name, avatar_url: row.picture}, true),
    el('span.chat-text', {},
        el('span.chat-top', {}, el('span.chat-name', {}, cutOff('strong.name', row.name), row.muted !== null && sign('mute', row.muted)),
            row.dissolved && el('small', {}, t('side.dissolved')), row.archived && el('small', {}, t('archive.title')), el('time', {}, row.time)),
        el('span.chat-bottom', {}, preview(row), badges(row))));
}

function badges({unread, mentions, muted, marked, pinned}) {
    return el('span.badges', {},
        pinned && sign('pin', t('conv.pinned')),
        mentions > 0 && el('span.badge.mentions', {role: 'img', 'aria-label': t('mention.badge', {count: mentions})}, '@'),
        unread > 0 && el(muted === null ? 'span.badge' : 'span.badge.quiet-badge', {role: 'img', 'aria-label': t('side.unread', {count: unread})}, unread > 99 ? '99+' : String(unread)),
        unread === 0 && marked && el(muted === null ? 'span.badge.mark' : 'span.badge.mark.quiet-badge', {role: 'img', 'aria-label': t('conv.marked'), title: t('conv.marked')}));
}

function preview({typing, draft, own, text, status, sender}) {
    if (typing !== null)
        return el('span.preview.typing', {}, cutOff('span', typing));
    if (draft !== null)
        return el('span.preview', {}, el('em', {}, t('side.draft')), cutOff('span', draft));
    return el('span.preview', {}, own && [ticksNode(status), el('span', {}, t('side.you'))],
        sender !== null && [cutOff('span.preview-sender', sender), el('span', {}, t('side.by'))], cutOff('span', text));
}
