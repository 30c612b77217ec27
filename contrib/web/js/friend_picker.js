// SPDX-License-Identifier: BSD-2-Clause
// Chooses friends: a list with boxes to tick, a search, and those that are chosen above it.
import {avatar} from './avatar.js';
import {cutOff, el, icon} from './dom.js';
import {nameOf} from './format.js';
import {t} from './i18n.js';

const SHOWN_MAX = 100; // the search leads to the others

export class FriendPicker {
    #chat;
    #without;
    #max;
    #chosen = new Map(); // user id -> profile
    #filter = el('input.filter', {type: 'search', placeholder: t('group.filter'), 'aria-label': t('group.filter'), dir: 'auto', autocomplete: 'off',
        oninput: () => this.#show(), onkeydown: (event) => this.#key(event)});
    #chips = el('ul.chips');
    #status = el('p.hint', {role: 'status'});
    #list = el('ul.list.picks');
    #none; // shown where there is nobody to choose
    #choice;
    node;

    // without: user ids that are not offered; max: how many can be chosen; empty: what is said where there are no friends
    constructor(chat, without, max, empty) {
        this.#chat = chat;
        this.#without = new Set(without);
        this.#max = max;
        this.#none = el('p.hint', {}, empty);
        this.#choice = el('div.picker-choice', {}, this.#chips, this.#filter, this.#status, this.#list);
        this.node = el('div.picker', {role: 'group', 'aria-label': t('group.choose')}, this.#none, this.#choice);
        const stop = chat.changes.listen((topics) => { // friends may be loaded later
            if (!this.node.isConnected)
                stop();
            else if (topics.has('people'))
                this.#show();
        });
        this.#show();
    }

    get userIds() {
        return [...this.#chosen.keys()];
    }

    focus() {
        this.#filter.focus();
    }

    #friends() {
        return [...this.#chat.people.friends.values()].map(({user}) => user).filter(({user_id}) => !this.#without.has(user_id));
    }

    // Enter in the search takes the first that it finds.
    #key(event) {
        if (event.key !== 'Enter' || event.isComposing)
            return;
        event.preventDefault();
        const box = this.#filter.value.trim() === '' ? null : this.#list.querySelector('input:not(:checked)');
        box?.click();
        if (box)
            this.#filter.value = '';
        this.#show();
    }

    #choose(user, yes) {
        if (yes && this.#chosen.size < this.#max)
            this.#chosen.set(user.user_id, user);
        else
            this.#chosen.delete(user.user_id);
        this.#show();
    }

    #show() {
        const wanted = this.#filter.value.trim().toLowerCase();
        const focused = this.#list.contains(document.activeElement) ? document.activeElement.value : null;
        const friends = this.#friends();
        const found = friends.filter((user) => `${nameOf(user)} ${user.user_id}`.toLowerCase().includes(wanted)).slice(0, SHOWN_MAX);
        this.#none.hidden = friends.length > 0;
        this.#choice.hidden = friends.length === 0;
        this.#list.replaceChildren(...found.map((user) => this.#rowNode(user)));
        this.#chips.replaceChildren(...[...this.#chosen.values()].map((user) => this.#chip(user)));
        this.#status.textContent = found.length === 0 ? t('members.none') : this.#chosen.size > 0 ? t('group.chosen', {count: this.#chosen.size}) : '';
        if (focused !== null)
            this.#list.querySelector(`input[value="${CSS.escape(focused)}"]`)?.focus();
    }

    #rowNode(user) {
        const {people} = this.#chat;
        return el('li', {}, el('label.person', {'data-user': user.user_id},
            el('input', {type: 'checkbox', value: user.user_id, checked: this.#chosen.has(user.user_id),
                onchange: (event) => this.#choose(user, event.target.checked)}),
            avatar(user, people.isTrusted(user.user_id)),
            el('span.person-text', {}, cutOff('strong.name', nameOf(user)), el('small', {}, user.user_id))));
    }

    #chip(user) {
        const name = nameOf(user);
        return el('li', {}, el('button.chip', {type: 'button', 'aria-label': t('group.unchoose', {name}), onclick: () => {
            this.#choose(user, false);
            this.focus();
        }}, cutOff('span', name), icon('close')));
    }
}
