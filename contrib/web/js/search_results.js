// SPDX-License-Identifier: BSD-2-Clause
// What a search of messages has found, as a list in which each row leads to its message; and what it says while there is
// nothing.
import {avatar, groupAvatar} from './avatar.js';
import {KeyedList, cutOff, el, icon, textButton} from './dom.js';
import {fullTime, shortTime, summary} from './format.js';
import {reasonOf, t} from './i18n.js';
import {marked} from './marked.js';
import {MessageSearch} from './message_search.js';
import {snippetOf} from './snippet.js';
import {isolated} from './text.js';

const AHEAD_PX = 400; // from the end of what is listed: more is loaded

export class SearchResults {
    #chat;
    #on;
    #inRoom;
    #search;
    #list = el('ul.list.results');
    #status = el('p.unseen', {role: 'status'});
    #note = el('p.search-note', {hidden: true});
    #keyed = new KeyedList(this.#list, ({item}) => this.#rowNode(item));
    #further = textButton('link.further', t('search.further'), () => this.more(), {hidden: true});
    node = el('div.search-results', {hidden: true}, this.#list, this.#note, this.#further, this.#status);

    // on.choose(item); on.changed(): what is found has. inRoom: one conversation is searched, and not named in each row.
    constructor(chat, inRoom, on) {
        this.#chat = chat;
        this.#on = on;
        this.#inRoom = inRoom;
        this.#search = new MessageSearch((query) => chat.rest.search(query), () => this.#changed());
        this.#list.setAttribute('aria-label', t('search.results'));
    }

    get items() {
        return this.#search.items;
    }

    get hasMore() {
        return this.#search.hasMore;
    }

    // scroller: what the list scrolls in.
    follow(scroller) {
        scroller.addEventListener('scroll', () => {
            if (scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - AHEAD_PX)
                this.more();
        }, {passive: true});
    }

    set(text, filters, now = false) {
        this.#search.set(text, filters, now);
    }

    more() {
        return this.#search.more();
    }

    // A row in words.
    textOf({message, highlights}) {
        return `${isolated(this.#nameOf(message))}: ${isolated(snippetOf(message.content ?? '', message.entities, highlights).text || summary(message))}`;
    }

    // Names may be known now, and messages be gone.
    refresh() {
        if (!this.#search.active)
            return;
        const {conversations} = this.#chat;
        this.#search.forget(({id, conversation_id}) => {
            const c = conversations.get(conversation_id);
            return c !== null && (c.gone !== null || c.history.isDeleted(id) || c.byId(id)?.is_recalled === true);
        });
        this.#show();
    }

    #changed() {
        const {people} = this.#chat;
        people.want(this.#search.items.map(({message}) => message.from_user_id));
        this.#show();
        this.#on.changed?.();
    }

    #show() {
        const {items, loading, problem, active} = this.#search;
        this.node.hidden = !active;
        this.#keyed.show(items.map((item) => ({key: item.message.id, version: this.#versionOf(item), item})));
        const [text, again] = this.#noteText(items, loading, problem);
        this.#further.hidden = loading || problem !== null || !this.#search.hasMore;
        this.#note.hidden = text === null;
        const shown = `${text} ${again}`;
        if (this.#note.dataset.shown !== shown) {
            this.#note.dataset.shown = shown;
            this.#note.replaceChildren(...loading ? [el('span.spinner')] : [], text ?? '',
                ...again ? [' ', textButton('link', t('room.retry'), () => this.#again())] : []);
        }
        const status = active && !loading && problem === null ? t(this.#search.hasMore ? 'search.foundMore' : 'search.found', {count: items.length}) : problem !== null ? text : '';
        if (this.#status.textContent !== status)
            this.#status.textContent = status;
    }

    // [text or null, whether one may try again]
    #noteText(items, loading, problem) {
        if (problem?.code === 'not_found')
            return [t('search.off'), false];
        if (problem?.code === 'unavailable')
            return [t('search.away'), true];
        if (problem !== null)
            return [reasonOf(problem), problem.code !== 'invalid_argument'];
        if (loading)
            return [t('search.searching'), false];
        return [items.length > 0 ? null : t(this.#search.hasMore ? 'search.noneYet' : 'search.none'), false];
    }

    #again() {
        if (this.#search.items.length > 0)
            this.#search.more();
        else
            this.#on.again();
    }

    #nameOf(message) {
        return message.from_user_id === this.#chat.me ? t('message.you') : this.#chat.people.name(message.from_user_id);
    }

    #versionOf({message, conversation_id, highlights}) {
        const c = this.#chat.conversations.get(conversation_id);
        return JSON.stringify([this.#nameOf(message), c && c.gone === null ? this.#chat.title(c) : '', message.edited_at, highlights, shortTime(message.created_at)]);
    }

    #rowNode(item) {
        const {message, conversation_id} = item;
        const c = this.#chat.conversations.get(conversation_id);
        const sender = this.#nameOf(message);
        const title = this.#inRoom || c === null ? sender : this.#chat.title(c);
        const by = title !== sender && (c?.isGroup || message.from_user_id === this.#chat.me) ? [cutOff('span.preview-sender', sender), el('span', {}, t('side.by'))] : null;
        return el('li', {}, el('button.result', {type: 'button', 'data-id': message.id, onclick: () => this.#on.choose(item)},
            this.#picture(message, c),
            el('span.chat-text', {},
                el('span.chat-top', {}, cutOff('strong.name', title), el('time', {datetime: message.created_at, title: fullTime(message.created_at)}, shortTime(message.created_at))),
                el('span.result-text', {dir: 'auto'}, by, textNodes(message, item.highlights)))));
    }

    #picture(message, c) {
        const {people} = this.#chat;
        if (!this.#inRoom && c?.isGroup)
            return groupAvatar({name: this.#chat.title(c), avatar_url: c.group.avatar_url}, true);
        const userId = this.#inRoom || c === null ? message.from_user_id : c.peer.user_id;
        return avatar(people.profile(userId), people.isTrusted(userId));
    }
}

// A file name may have what was searched for, and nothing be marked then.
function textNodes(message, highlights) {
    const kind = {image: 'image', voice: 'mic', video: 'video', file: 'file'}[message.message_type];
    const name = typeof message.extra?.file_name === 'string' ? message.extra.file_name : null;
    const {text, ranges} = snippetOf(message.content ?? '', message.entities, highlights);
    return [kind && icon(kind), kind && name !== null && el('span.file-name', {}, name, text && ' · '), text === '' && name === null ? summary(message) : marked(text, ranges)];
}
