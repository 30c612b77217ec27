// SPDX-License-Identifier: BSD-2-Clause
// What became of a message: GET /admin/messages/{id}/trace.
import {el, icon} from '../web/dom.js';
import {moment} from './format.js';
import {reasonOf, t} from './i18n.js';
import {card, table} from './table.js';

const LISTS = {pushed: 'trace.pushed', devices: 'trace.devices', hooks: 'trace.hooks'};
const KNOWN = new Set(['stored_at', 'conversation_id', 'seq', ...Object.keys(LISTS)]);

export class MessageView {
    #api;
    #field = el('input', {id: 'message', name: 'message', inputmode: 'numeric', autocomplete: 'off', maxlength: '20', required: true});
    #fault = el('p.fault', {role: 'alert'});
    #result = el('div.cards', {'aria-live': 'polite'});
    #turn = 0;

    constructor(api, id) {
        this.#api = api;
        this.node = el('div.view', {}, el('div.heading', {}, el('h1', {}, t('nav.messages'))),
            el('form.find', {role: 'search', onsubmit: (event) => {
                event.preventDefault();
                this.#trace(this.#field.value.trim());
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

    async #trace(id) {
        const turn = ++this.#turn;
        this.#result.replaceChildren();
        this.#fault.textContent = /^\d{1,20}$/.test(id) ? '' : t('trace.badId');
        if (this.#fault.textContent !== '')
            return;
        try {
            const trace = await this.#api.ask('GET', `/admin/messages/${id}/trace`);
            if (turn === this.#turn)
                this.#result.replaceChildren(...cards(trace));
        } catch (refused) {
            if (turn === this.#turn)
                this.#fault.textContent = refused.status === 404 ? t('trace.none') : refused.status === 501 ? t('trace.notBuilt') : reasonOf(refused);
        }
    }
}

function cards(trace) {
    const facts = [[t('trace.storedAt'), moment(trace.stored_at)], [t('trace.conversation'), String(trace.conversation_id)], [t('trace.seq'), String(trace.seq)],
        ...Object.entries(trace).filter(([name]) => !KNOWN.has(name)).map(([name, value]) => [name, shown(value)])];
    return [card(t('nav.messages'), el('dl.facts', {}, facts.map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]))),
        ...Object.entries(LISTS).map(([name, text]) => list(t(text), trace[name] ?? []))];
}

// Whatever members the entries have: other releases may tell more.
function list(heading, entries) {
    if (entries.length === 0)
        return card(heading, el('p.hint', {}, t('trace.nothing')));
    const columns = [...new Set(entries.flatMap((entry) => Object.keys(entry)))];
    return card(heading, table(heading, columns, entries.map((entry) => columns.map((name) => shown(entry[name] ?? null, name)))));
}

function shown(value, name = '') {
    if (value === null)
        return '–';
    if (typeof value === 'string' && /(^|_)at$/.test(name) && !Number.isNaN(Date.parse(value)))
        return moment(value);
    return typeof value === 'string' ? value : JSON.stringify(value);
}
