// SPDX-License-Identifier: BSD-2-Clause
// What narrows a search of messages: who wrote them, what they are, when, and, where all are searched, where.
import {el, textButton} from './dom.js';
import {field} from './field.js';
import {now} from './clock.js';
import {beginOfDay, dateOf} from './day_search.js';
import {nameOf} from './format.js';
import {t} from './i18n.js';

const TYPES = ['text', 'image', 'voice', 'video', 'file'];
const NAMED_MAX = 200; // conversations, or people, to choose from

export class SearchFilters {
    #chat;
    #onChange;
    #where = el('select');
    #from = el('select');
    #type = el('select', {}, option('', t('search.anyType')), TYPES.map((type) => option(type, t(type === 'text' ? 'search.text' : `media.${type}`))));
    #since = el('input', {type: 'date'});
    #until = el('input', {type: 'date'});
    #whereField = field(t('search.where'), this.#where);
    #clear = textButton('link', t('search.clearFilters'), () => this.clear());
    button = el('button.filter-button', {type: 'button', 'aria-expanded': 'false', onclick: () => this.#toggle()}, t('search.filters'));
    node;

    constructor(chat, onChange) {
        this.#chat = chat;
        this.#onChange = onChange;
        this.node = el('form.search-filters', {hidden: true, 'aria-label': t('search.filters'), onsubmit: (event) => event.preventDefault(), onchange: () => this.#changed()},
            this.#whereField, field(t('search.from'), this.#from), field(t('search.type'), this.#type),
            el('div.dates', {}, field(t('search.since'), this.#since), field(t('search.until'), this.#until)), this.#clear);
    }

    // Of the open conversation, or of all (null). Nothing is narrowed.
    open(c) {
        this.#whereField.hidden = c !== null;
        this.#fill(c);
        this.#reset();
        this.#show(false);
        this.#told();
    }

    // Parameters of GET /messages/search; those that narrow nothing are not there.
    get value() {
        const before = this.#until.value && nextDay(this.#until.value);
        const all = {conversation_id: this.#where.value, from: this.#from.value, type: this.#type.value,
            after: this.#since.value && timeOf(beginOfDay(this.#since.value)), before: before && timeOf(before)};
        return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
    }

    clear() {
        this.#reset();
        this.#changed();
        this.#from.focus();
    }

    #reset() {
        for (const input of [this.#where, this.#from, this.#type, this.#since, this.#until])
            input.value = '';
        this.#until.max = this.#since.max = dateOf(now());
    }

    #fill(c) {
        const {conversations, people, me} = this.#chat;
        const known = c === null ? [...people.friends.keys()] : c.isGroup ? [...this.#chat.groups.of(c).members.keys()] : [c.peer.user_id];
        const others = known.filter((id) => id !== me).slice(0, NAMED_MAX).map((id) => ({id, name: nameOf(people.profile(id))}))
            .sort((a, b) => a.name.localeCompare(b.name));
        this.#from.replaceChildren(option('', t('search.anyone')), option(me, t('message.you')), ...others.map(({id, name}) => option(id, name)));
        if (c === null)
            this.#where.replaceChildren(option('', t('search.everywhere')), ...conversations.list().slice(0, NAMED_MAX).map((one) => option(one.id, this.#chat.title(one))));
    }

    #toggle() {
        if (!this.node.hidden) {
            this.#show(false);
            return;
        }
        this.#show(true);
        this.node.querySelector('.field:not([hidden]) select').focus();
    }

    #show(open) {
        this.node.hidden = !open;
        this.button.setAttribute('aria-expanded', String(open));
    }

    #changed() {
        this.#told();
        this.#onChange();
    }

    #told() {
        const count = Object.keys(this.value).length;
        this.#clear.hidden = count === 0;
        this.button.textContent = count === 0 ? t('search.filters') : t('search.filtersOn', {count});
        this.button.classList.toggle('on', count > 0);
    }
}

function option(value, label) {
    return el('option', {value}, label);
}

const timeOf = (ms) => (ms === null ? '' : new Date(ms).toISOString());

function nextDay(date) {
    const begin = beginOfDay(date);
    if (begin === null)
        return null;
    const day = new Date(begin);
    return new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).getTime();
}
