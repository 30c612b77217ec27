// SPDX-License-Identifier: BSD-2-Clause
// Completes a mention while it is typed: a list of members over the text field, which keeps the focus. Up, down, Enter,
// Tab and Escape are for the list while it is there.
import {avatar} from './avatar.js';
import {cutOff, el, icon} from './dom.js';
import {nameOf} from './format.js';
import {mayMentionAll} from './group_rules.js';
import {t} from './i18n.js';
import {EVERYONE, completed, labelsOf, matching, mentionAt, mentionsIn} from './mention.js';

const SHOWN_MAX = 8;
const ASK_DELAY_MS = 150;

export class MentionBox {
    #chat;
    #text;
    #onCompleted;
    #conversation = null;
    #chosen = new Map(); // label -> user id, whom the user has picked
    #at = null; // mentionAt() of the text field
    #dismissed = null; // where the @ is that the user does not want completed
    #items = []; // {id, name, label}
    #active = 0;
    #kept = null; // id of the one that the arrow keys have led to
    #asked = new Map(); // query -> a promise, of the open conversation
    #timer = null;
    #status = el('p.unseen', {role: 'status'});
    #list = el('ul.mention-list', {role: 'listbox', id: 'mention-list', 'aria-label': t('mention.list'), hidden: true});
    node = el('div.mention-box', {}, this.#list, this.#status);

    // text: the textarea; onCompleted(): its text has changed
    constructor(chat, text, onCompleted) {
        this.#chat = chat;
        this.#text = text;
        this.#onCompleted = onCompleted;
        // A press must not take the focus from the text.
        this.#list.addEventListener('mousedown', (event) => event.preventDefault());
        text.addEventListener('blur', () => this.#close());
        text.addEventListener('click', () => this.look());
        text.addEventListener('keyup', ({key}) => ['ArrowLeft', 'ArrowRight', 'Home', 'End'].includes(key) && this.look());
    }

    // chosen: [[label, user id]], from a draft.
    open(conversation, chosen) {
        this.#close();
        this.#conversation = conversation;
        this.#asked.clear();
        this.#dismissed = null;
        this.#chosen = new Map(chosen);
    }

    get chosen() {
        return [...this.#chosen];
    }

    // Whom that text mentions.
    mentionsOf(text) {
        const c = this.#conversation;
        if (!c?.group)
            return [];
        return mentionsIn(text, labelsOf(this.#people(), this.#chosen, mayMentionAll(c.group)));
    }

    // Whether that text is for everyone, which this user may not mention there.
    wantsAll(text) {
        const c = this.#conversation;
        return text.includes('@') && Boolean(c?.group) && !mayMentionAll(c.group) &&
            mentionsIn(text, labelsOf(this.#people(), this.#chosen, true)).includes(EVERYONE);
    }

    // What is written has been sent.
    reset() {
        this.#chosen.clear();
        this.#close();
    }

    // A member is mentioned where the caret is.
    insert(userId) {
        const {selectionEnd: caret, value} = this.#text;
        const space = caret > 0 && !/\s$/.test(value.slice(0, caret)) ? ' ' : '';
        this.#text.setRangeText(`${space}@`, caret, this.#text.selectionEnd, 'end');
        this.#at = {from: caret + space.length, query: ''};
        this.#complete(this.#itemOf({id: userId, name: this.#chat.people.name(userId)}));
        this.#text.focus();
    }

    // Looks at where the caret is.
    look() {
        const {selectionStart, selectionEnd, value} = this.#text;
        const at = this.#conversation?.group && selectionStart === selectionEnd ? mentionAt(value, selectionEnd) : null;
        if (at?.from !== this.#dismissed)
            this.#dismissed = null;
        this.#at = this.#dismissed === null ? at : null;
        if (this.#at === null) {
            this.#close();
            return;
        }
        this.#show();
        this.#ask(this.#at.query);
    }

    // More members may be known.
    refresh() {
        if (this.#at !== null)
            this.#show();
    }

    // Whether the key was for the list.
    key(event) {
        if (this.#list.hidden)
            return false;
        const count = this.#items.length;
        switch (event.key) {
        case 'ArrowDown':
            this.#walkTo((this.#active + 1) % count);
            break;
        case 'ArrowUp':
            this.#walkTo((this.#active + count - 1) % count);
            break;
        case 'Enter':
        case 'Tab':
            this.#complete(this.#items[this.#active]);
            break;
        case 'Escape':
            this.#dismissed = this.#at.from;
            this.#close();
            break;
        default:
            return false;
        }
        event.preventDefault();
        return true;
    }

    // Members that are known, without the user.
    #people() {
        const {groups, me} = this.#chat;
        return [...groups.of(this.#conversation).members.values()].filter(({user}) => user.user_id !== me)
            .map(({user}) => ({id: user.user_id, name: nameOf(user)}));
    }

    // A large group has members that are not known here: the server finds them.
    #ask(query) {
        const c = this.#conversation;
        clearTimeout(this.#timer);
        if (query === '' || this.#chat.groups.of(c).complete || this.#asked.has(query))
            return;
        this.#timer = setTimeout(() => {
            const asked = this.#chat.groups.members(c, query).then(() => this.#conversation === c && this.#at !== null && this.#show(), () => this.#asked.delete(query));
            this.#asked.set(query, asked);
        }, ASK_DELAY_MS);
    }

    // Of two people with one name the id is written.
    #itemOf({id, name}) {
        const twice = this.#people().some((other) => other.id !== id && other.name === name);
        return {id, name, label: twice ? id : name};
    }

    #show() {
        const {query} = this.#at;
        const all = {id: EVERYONE, name: t('mention.everyone')};
        const everyone = mayMentionAll(this.#conversation.group) ? matching(query, [all], 1) : [];
        this.#items = [...matching(query, this.#people(), SHOWN_MAX).map((person) => this.#itemOf(person)),
            ...everyone.map((person) => ({...person, label: person.name}))];
        this.#list.hidden = this.#items.length === 0;
        this.#list.replaceChildren(...this.#items.map((item, i) => this.#option(item, i)));
        this.#status.textContent = this.#items.length > 0 ? t('mention.found', {count: this.#items.length}) : '';
        if (this.#items.length === 0)
            this.#unmark();
        else
            this.#activate(Math.max(0, this.#items.findIndex(({id}) => id === this.#kept)));
    }

    // It stays the active one while it is in the list. Else the first is: those who come later may be more likely.
    #walkTo(index) {
        this.#kept = this.#items[index].id;
        this.#activate(index);
    }

    #option(item, i) {
        const {people} = this.#chat;
        const forAll = item.id === EVERYONE;
        return el('li', {role: 'option', id: `mention-${i}`, 'data-user': item.id, onclick: () => this.#complete(item)},
            forAll ? el('span.avatar', {'aria-hidden': 'true'}, icon('people')) : avatar(people.profile(item.id), people.isTrusted(item.id)),
            cutOff('strong.name', item.name), el('small', {}, forAll ? t('mention.all') : item.id));
    }

    #activate(index) {
        this.#active = index;
        [...this.#list.children].forEach((node, i) => node.setAttribute('aria-selected', String(i === index)));
        this.#list.children[index]?.scrollIntoView({block: 'nearest'});
        this.#text.setAttribute('aria-autocomplete', 'list');
        this.#text.setAttribute('aria-controls', 'mention-list');
        this.#text.setAttribute('aria-activedescendant', `mention-${index}`);
    }

    #unmark() {
        this.#text.removeAttribute('aria-activedescendant');
        this.#text.removeAttribute('aria-controls');
    }

    #close() {
        clearTimeout(this.#timer);
        this.#at = null;
        this.#items = [];
        this.#active = 0;
        this.#kept = null;
        this.#list.hidden = true;
        this.#status.textContent = '';
        this.#unmark();
    }

    #complete(item) {
        const {text, caret} = completed(this.#text.value, this.#at, item.label);
        if (item.id !== EVERYONE)
            this.#chosen.set(item.label, item.id);
        this.#text.value = text;
        this.#text.setSelectionRange(caret, caret);
        this.#close();
        this.#onCompleted();
    }
}
