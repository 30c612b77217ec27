// SPDX-License-Identifier: BSD-2-Clause
// Searching in the open conversation: a bar under its head, a list of what is found over its messages, and the way from
// one to the next.
import {el, icon, iconButton} from './dom.js';
import {t} from './i18n.js';
import {walkBy} from './list_walk.js';
import {SearchFilters} from './search_filters.js';
import {SearchResults} from './search_results.js';

export class RoomSearch {
    #on;
    #conversation = null;
    #at = -1; // which of what is found is shown
    #input = el('input.filter', {type: 'search', dir: 'auto', placeholder: t('search.inRoom'), 'aria-label': t('search.inRoom'), enterkeyhint: 'search',
        maxlength: '200', oninput: () => this.#ask(false), onfocus: () => this.#showList(true)});
    #filters;
    #results;
    #place = el('span.search-place');
    #spoken = el('p.unseen', {role: 'status'}); // which message one is at, where the focus stays in the field
    #older = iconButton('up', t('search.older'), () => this.#step(1));
    #newer = iconButton('down', t('search.newer'), () => this.#step(-1));
    #list;
    node;

    // on.goTo({id, seq}, whether it gets the focus); on.mark(items); on.closed()
    constructor(chat, on) {
        this.#on = on;
        this.#filters = new SearchFilters(chat, () => this.#ask(true));
        this.#results = new SearchResults(chat, true, {choose: (item) => this.#choose(item), again: () => this.#ask(true), changed: () => this.#changed()});
        this.#list = el('div.room-results', {hidden: true}, this.#filters.node, this.#results.node);
        this.#results.follow(this.#list);
        this.node = el('div.room-search', {role: 'search', hidden: true},
            el('div.search-bar', {}, icon('search'), this.#input, this.#filters.button, this.#place, this.#older, this.#newer,
                iconButton('close', t('search.close'), () => this.close()), this.#spoken),
            this.#list);
        this.node.addEventListener('keydown', (event) => this.#key(event));
        this.node.addEventListener('click', ({target}) => target.closest('.filter-button') && this.#showList(true));
    }

    get hasFocus() {
        return document.activeElement === this.#input;
    }

    get isOpen() {
        return !this.node.hidden;
    }

    open(c) {
        if (this.#conversation !== c) {
            this.#conversation = c;
            this.#input.value = '';
            this.#filters.open(c);
            this.#ask(true);
        }
        this.node.hidden = false;
        this.#input.focus();
        this.#input.select();
    }

    // Without a word: another conversation is opened.
    leave() {
        this.node.hidden = true;
        this.#list.hidden = true;
        this.#conversation = null;
    }

    close() {
        this.leave();
        this.#on.mark([]);
        this.#on.closed();
    }

    refresh() {
        if (this.isOpen)
            this.#results.refresh();
    }

    #ask(now) {
        const {id} = this.#conversation;
        this.#at = -1;
        this.#results.set(this.#input.value, {...this.#filters.value, conversation_id: id}, now);
        this.#showList(true);
        this.#changed();
    }

    #showList(shown) {
        this.#list.hidden = !shown || (this.#results.node.hidden && this.#filters.node.hidden);
    }

    #changed() {
        if (this.#conversation === null)
            return;
        const {items, hasMore} = this.#results;
        this.#on.mark(items);
        if (this.#at < 0 || this.#list.hidden === false)
            this.#showList(true);
        this.#place.textContent = this.#at < 0 ? '' : `${this.#at + 1}/${items.length}${hasMore ? '+' : ''}`;
        this.#older.disabled = items.length === 0 || (this.#at === items.length - 1 && !hasMore);
        this.#newer.disabled = this.#at <= 0;
    }

    #choose(item, takesFocus = true) {
        this.#at = this.#results.items.indexOf(item);
        this.#list.hidden = true;
        this.#changed();
        this.#spoken.textContent = takesFocus ? '' : this.#results.textOf(item);
        this.#on.goTo(item.message, takesFocus);
    }

    async #step(by) {
        const to = this.#at + by;
        if (to >= this.#results.items.length)
            await this.#results.more();
        const item = this.#results.items[to];
        if (item)
            this.#choose(item, false);
    }

    #key(event) {
        if (event.isComposing || event.keyCode === 229)
            return;
        if (event.key === 'Escape')
            this.close();
        else if (event.key === 'Enter' && event.target === this.#input) {
            if (this.#results.items.length > 0 && !event.shiftKey)
                this.#step(1);
            else if (this.#results.items.length > 0)
                this.#step(-1);
            else
                this.#ask(true);
        } else if (!walkBy(event, [this.#input, ...this.#list.hidden ? [] : this.#list.querySelectorAll('.result')]))
            return;
        event.preventDefault();
        event.stopPropagation();
    }
}
