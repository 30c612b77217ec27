// SPDX-License-Identifier: BSD-2-Clause
// The audit log, page by page, the newest first.
import {el, textButton} from '../../web/js/dom.js';
import {moment} from './format.js';
import {reasonOf, t} from './i18n.js';
import {table, tag} from './table.js';

const PAGE = 50;

export class AuditView {
    #api;
    #cursors = [null]; // of the pages up to the one that is shown
    #next = null;
    #fault = el('p.fault', {role: 'alert'});
    #list = el('div.cards');
    #newest = textButton('quiet', t('audit.newest'), () => this.#go([null]));
    #newer = textButton('quiet', t('audit.newer'), () => this.#go(this.#cursors.slice(0, -1)));
    #older = textButton('quiet', t('audit.older'), () => this.#go([...this.#cursors, this.#next]));
    #left = false;

    constructor(api) {
        this.#api = api;
        this.node = el('div.view', {}, el('div.heading', {}, el('h1', {}, t('nav.audit'))), this.#fault, this.#list,
            el('div.buttons.pages', {}, this.#newest, this.#newer, this.#older));
        this.#go([null]);
    }

    leave() {
        this.#left = true;
    }

    async #go(cursors) {
        const buttons = [this.#newest, this.#newer, this.#older];
        const asked = document.activeElement;
        buttons.forEach((button) => {
            button.disabled = true;
        });
        this.#fault.textContent = '';
        try {
            const cursor = cursors.at(-1);
            const page = await this.#api.ask('GET', `/admin/audit?limit=${PAGE}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
            if (this.#left)
                return;
            this.#cursors = cursors;
            this.#next = page.next_cursor;
            this.#list.replaceChildren(page.items.length === 0 ? el('p.hint', {}, t('audit.none')) : entries(page.items));
        } catch (refused) {
            if (this.#left)
                return;
            this.#fault.textContent = reasonOf(refused);
        }
        this.#newest.disabled = false; // it also reads again
        this.#newer.disabled = this.#cursors.length === 1;
        this.#older.disabled = this.#next === null;
        if (buttons.includes(asked))
            (asked.disabled ? this.#newest : asked).focus({preventScroll: true});
    }
}

function entries(items) {
    const tone = (status) => (status === null || status >= 500 ? 'bad' : status >= 400 ? 'warn' : 'good');
    return el('section.card', {}, table(t('audit.heading'), [t('audit.time'), t('audit.actor'), t('audit.method'), t('audit.path'), t('audit.status')],
        items.map(({at, actor, method, path, status}) => [moment(at), actor, method, el('code', {}, path),
            tag(status === null ? t('audit.noStatus') : String(status), tone(status))])));
}
