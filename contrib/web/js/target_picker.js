// SPDX-License-Identifier: BSD-2-Clause
// Chooses where messages go: conversations, the latest first, and friends; a search, and those that are chosen above the list.
import {avatar, groupAvatar} from './avatar.js';
import {cutOff, el, icon} from './dom.js';
import {isAdmin} from './group_rules.js';
import {t} from './i18n.js';
import {candidates, ranked} from './switcher_rank.js';

const SHOWN_MAX = 60;

// Those whom the user can probably write to; the server has the last word.
function isOpen(chat, {c, userId}) {
    if (userId !== null)
        return chat.people.isFriend(userId) && !chat.people.hasBlocked(userId);
    return c.gone === null && c.group !== null && c.group.dissolved_at === null && (c.group.settings.send === 'all' || isAdmin(c.group));
}

export class TargetPicker {
    #chat;
    #max;
    #onChange;
    #chosen = new Map(); // key -> {key, c, userId, name}
    #filter = el('input.filter', {type: 'search', placeholder: t('forward.search'), 'aria-label': t('forward.search'), dir: 'auto', autocomplete: 'off',
        oninput: () => this.#show(), onkeydown: (event) => this.#key(event)});
    #chips = el('ul.chips');
    #status = el('p.hint', {role: 'status'});
    #list = el('ul.list.picks');
    node = el('div.picker-choice', {role: 'group', 'aria-label': t('forward.to')}, this.#chips, this.#filter, this.#status, this.#list);

    // max: how many can be chosen; onChange(): others are chosen
    constructor(chat, max, onChange) {
        this.#chat = chat;
        this.#max = max;
        this.#onChange = onChange;
        this.#show();
    }

    // [{name, to}], to as POST /messages/forward takes it.
    get targets() {
        return [...this.#chosen.values()].map(({c, userId, name}) => ({name, to: userId === null ? {conversation_id: c.id} : {user_id: userId}}));
    }

    focus() {
        this.#filter.focus();
    }

    // Friends may be loaded later.
    refresh() {
        this.#show();
    }

    // Enter in the search takes the first that it finds.
    #key(event) {
        if (event.key !== 'Enter' || event.isComposing || event.keyCode === 229)
            return;
        event.preventDefault();
        const box = this.#filter.value.trim() === '' ? null : this.#list.querySelector('input:not(:checked, :disabled)');
        if (box === null)
            return;
        this.#filter.value = '';
        box.click();
    }

    #choose(one, yes) {
        if (yes && this.#chosen.size < this.#max)
            this.#chosen.set(one.key, one);
        else
            this.#chosen.delete(one.key);
        this.#show();
        this.#onChange();
    }

    #show() {
        const focused = this.#list.contains(document.activeElement) ? document.activeElement.value : null;
        const found = ranked(candidates(this.#chat).filter((one) => isOpen(this.#chat, one)), this.#filter.value, null).slice(0, SHOWN_MAX);
        this.#list.replaceChildren(...found.map((one) => this.#row(one)));
        this.#chips.replaceChildren(...[...this.#chosen.values()].map((one) => this.#chip(one)));
        this.#status.textContent = found.length === 0 ? t('members.none') : this.#chosen.size >= this.#max ? t('forward.full', {count: this.#max}) :
            this.#chosen.size > 0 ? t('forward.chosen', {count: this.#chosen.size}) : '';
        if (focused !== null)
            this.#list.querySelector(`input[value="${CSS.escape(focused)}"]`)?.focus();
    }

    #row(one) {
        const {people} = this.#chat;
        const {key, c, userId, name} = one;
        const chosen = this.#chosen.has(key);
        const picture = userId === null ? groupAvatar({name, avatar_url: c.group.avatar_url}, true) : avatar(people.profile(userId), people.isTrusted(userId));
        return el('li', {}, el('label.person', {'data-key': key},
            el('input', {type: 'checkbox', value: key, checked: chosen, disabled: !chosen && this.#chosen.size >= this.#max,
                onchange: (event) => this.#choose(one, event.target.checked)}),
            picture, el('span.person-text', {}, cutOff('strong.name', name), el('small', {}, userId ?? t('group.members', {count: c.group.member_count})))));
    }

    #chip(one) {
        const {name} = one;
        return el('li', {}, el('button.chip', {type: 'button', 'aria-label': t('group.unchoose', {name}), onclick: () => {
            this.#choose(one, false);
            this.focus();
        }}, cutOff('span', name), icon('close')));
    }
}
