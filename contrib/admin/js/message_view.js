// SPDX-License-Identifier: BSD-2-Clause
// What became of a message: #/messages/ID.
import {el, icon} from '../../web/js/dom.js';
import {moment} from './format.js';
import {hasText, reasonOf, t} from './i18n.js';
import {card, table, tag} from './table.js';

const ID = /^\d{1,20}$/;
const TONES = {accepted: 'good', retried: 'warn', gone: 'bad', refused: 'bad'};
// The lists of a trace, and the members that each shows of an entry.
const LISTS = {
    pushed: ['session_id', 'at'],
    devices: ['user_id', 'device_id', 'platform', 'status', 'at'],
    hooks: ['name', 'event', 'status', 'at'],
};

export class MessageView {
    #api;
    #field = el('input', {id: 'message', name: 'message', inputmode: 'numeric', autocomplete: 'off', maxlength: '20', required: true});
    #fault = el('p.fault', {role: 'alert'});
    #result = el('div.cards', {'aria-live': 'polite'});
    #turn = 0; // of the answer that is waited for

    constructor(api, id) {
        this.#api = api;
        this.node = el('div.view', {}, el('div.heading', {}, el('h1', {}, t('nav.messages'))),
            el('form.find', {role: 'search', onsubmit: (event) => {
                event.preventDefault();
                this.#open(this.#field.value.trim());
            }},
            el('div.field', {}, el('label', {for: 'message'}, t('trace.id')), this.#field),
            el('button.primary', {type: 'submit'}, icon('search'), t('trace.find'))),
            this.#fault, this.#result);
        if (id !== null) {
            this.#field.value = id;
            this.#trace(id);
        }
    }

    leave() {
        this.#turn++;
    }

    #open(id) {
        const address = `#/messages/${encodeURIComponent(id)}`;
        if (location.hash === address || !ID.test(id))
            this.#trace(id);
        else
            location.hash = address;
    }

    async #trace(id) {
        const turn = ++this.#turn;
        this.#result.replaceChildren();
        this.#fault.textContent = ID.test(id) ? '' : t('trace.badId');
        if (!ID.test(id))
            return;
        try {
            const trace = await this.#api.ask('GET', `/admin/messages/${id}/trace`);
            if (turn === this.#turn)
                this.#result.replaceChildren(...cards(trace));
        } catch (refused) {
            if (turn === this.#turn)
                this.#fault.textContent = refused.status === 404 ? t('trace.none') : reasonOf(refused);
        }
    }
}

function cards(trace) {
    const facts = [[t('trace.storedAt'), moment(trace.stored_at)], [t('trace.conversation'), trace.conversation_id], [t('trace.seq'), String(trace.seq)]];
    return [card(t('trace.heading'), el('dl.facts', {}, facts.map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])),
        trace.incomplete && el('p.hint.incomplete', {}, t('trace.incomplete'))),
    ...Object.keys(LISTS).map((name) => list(t(`trace.${name}`), LISTS[name], trace[name]))];
}

function list(heading, members, entries) {
    if (entries.length === 0)
        return card(heading, el('p.hint', {}, t('trace.nothing')));
    return card(heading, table(heading, members.map((name) => t(`trace.of.${name}`)), entries.map((entry) => members.map((name) => shown(name, entry[name])))));
}

function shown(name, value) {
    if (name === 'at')
        return moment(value);
    if (name === 'status')
        return tag(hasText(`trace.status.${value}`) ? t(`trace.status.${value}`) : value, TONES[value] ?? 'warn');
    return value ?? '–';
}
