// SPDX-License-Identifier: BSD-2-Clause
// A grid of emoji to choose from, with a search and the groups of Unicode. The arrow keys walk through the grid, what is
// typed there goes to the search. Its data are loaded when it is shown first.
import {el} from './dom.js';
import {EmojiIndex} from './emoji.js';
import {cellFrom, makeReachable} from './grid_keys.js';
import {language, t} from './i18n.js';

const COLUMNS = 8;
const SYMBOLS = {recent: '🕘', smileys: '😀', people: '👋', nature: '🐻', food: '🍎', travel: '✈️', activities: '⚽', objects: '💡', symbols: '❤️', flags: '🚩'};

let loading = null;

// Rejects where the page has no data of emoji.
function loadIndex() {
    loading ??= import('./emoji_data.js').then(({GROUPS}) => new EmojiIndex(GROUPS));
    loading.catch(() => {
        loading = null;
    });
    return loading;
}

export class EmojiPicker {
    #recent;
    #onPick;
    #index = null;
    #shownRecent = '';
    #search = el('input.filter', {type: 'search', placeholder: t('emoji.search'), 'aria-label': t('emoji.search'), dir: 'auto', autocomplete: 'off',
        maxlength: '64', oninput: () => this.#find(), onkeydown: (event) => this.#searchKey(event)});
    #groups = el('div.emoji-groups', {role: 'toolbar', 'aria-label': t('emoji.groups')});
    #grid = el('div.emoji-grid', {role: 'grid', 'aria-label': t('emoji.label'), onclick: ({target, shiftKey}) => this.#pick(target, shiftKey, true),
        onkeydown: (event) => this.#gridKey(event), onkeyup: (event) => event.key === ' ' && event.preventDefault(),
        onfocusin: ({target}) => this.#noteActive(target), onmouseover: ({target}) => this.#tell(target)});
    #status = el('p.unseen', {role: 'status'});
    #told = el('p.emoji-told', {'aria-hidden': 'true'});
    node = el('div.emoji-picker', {}, el('div.emoji-search', {}, this.#search), this.#groups, this.#grid, this.#told, this.#status);

    // recent: a RecentEmoji. onPick(emoji, {keep}): keep, where another one may be wanted
    constructor(recent, onPick) {
        this.#recent = recent;
        this.#onPick = onPick;
        this.#groups.addEventListener('keydown', (event) => this.#groupKey(event));
        this.#grid.addEventListener('scroll', () => this.#noteGroup(), {passive: true});
    }

    // To be called when it can be seen.
    async shown() {
        this.#search.value = '';
        if (this.#index === null) {
            this.#grid.replaceChildren(el('p.empty', {}, t('room.loading')));
            try {
                this.#index = await loadIndex();
            } catch {
                this.#grid.replaceChildren(el('p.empty', {role: 'alert'}, t('emoji.failed')));
                return;
            }
        }
        if (this.#shownRecent !== this.#recent.list().join(' ') || this.#grid.querySelector('.emoji-group') === null)
            this.#showAll();
        this.#grid.scrollTop = 0;
        this.#noteGroup();
    }

    // A keyboard that covers the page is not asked for.
    focus() {
        if (!matchMedia('(pointer: coarse)').matches)
            this.#search.focus();
    }

    // ---- what is shown ----

    #showAll() {
        const recent = this.#recent.list();
        this.#shownRecent = recent.join(' ');
        const groups = [...recent.length > 0 ? [{key: 'recent', emoji: recent}] : [], ...this.#index.groups];
        this.#grid.replaceChildren(...groups.map((group) => this.#groupNode(group)));
        this.#groups.replaceChildren(...groups.map(({key}, i) => el('button', {type: 'button', tabindex: i === 0 ? '0' : '-1', 'data-group': key,
            'aria-label': t(`emoji.${key}`), title: t(`emoji.${key}`), onclick: () => this.#toGroup(key)}, SYMBOLS[key])));
        this.#groups.hidden = false;
        makeReachable(this.#grid, this.#grid.querySelector('[data-emoji]'));
    }

    #groupNode({key, emoji}) {
        const rows = [];
        for (let i = 0; i < emoji.length; i += COLUMNS)
            rows.push(el('div.emoji-row', {role: 'row'}, emoji.slice(i, i + COLUMNS).map((one) => this.#cell(one))));
        const node = el('div.emoji-group', {role: 'rowgroup', 'aria-label': t(`emoji.${key}`), 'data-group': key},
            el('p.emoji-heading', {'aria-hidden': 'true'}, t(`emoji.${key}`)), rows);
        node.style.setProperty('--rows', rows.length);
        return node;
    }

    #cell(emoji) {
        return el('button', {type: 'button', role: 'gridcell', tabindex: '-1', 'data-emoji': emoji, 'aria-label': this.#index.nameOf(emoji, language)}, emoji);
    }

    #find() {
        if (this.#index === null)
            return;
        const query = this.#search.value;
        if (query.trim() === '') {
            this.#status.textContent = '';
            this.#showAll();
            return;
        }
        const found = this.#index.search(query);
        this.#groups.hidden = true;
        this.#grid.replaceChildren(found.length > 0 ? this.#groupNode({key: 'found', emoji: found}) : el('p.empty', {}, t('emoji.none')));
        this.#grid.scrollTop = 0;
        this.#status.textContent = found.length > 0 ? t('emoji.foundCount', {count: found.length}) : t('emoji.none');
        makeReachable(this.#grid, this.#grid.querySelector('[data-emoji]'));
        this.#tell(this.#grid.querySelector('[data-emoji]'));
    }

    // What the pointer or the keyboard is at.
    #tell(target) {
        const cell = target?.closest?.('[data-emoji]');
        if (cell)
            this.#told.textContent = `${cell.dataset.emoji}  ${cell.getAttribute('aria-label')}`;
        else if (target === null)
            this.#told.textContent = '';
    }

    // ---- choosing ----

    #pick(target, shift, byPointer) {
        const emoji = target.closest('[data-emoji]')?.dataset.emoji;
        if (emoji === undefined)
            return;
        this.#recent.note(emoji);
        this.#onPick(emoji, {keep: byPointer || shift});
    }

    // ---- groups ----

    #toGroup(key) {
        const group = this.#grid.querySelector(`[data-group=${key}]`);
        this.#grid.scrollTop = group.offsetTop - this.#grid.offsetTop;
    }

    #noteGroup() {
        const top = this.#grid.scrollTop + this.#grid.offsetTop + 20;
        const at = [...this.#grid.querySelectorAll('.emoji-group')].findLast((group) => group.offsetTop <= top)?.dataset.group;
        for (const button of this.#groups.children) {
            if (button.dataset.group === at)
                button.setAttribute('aria-current', 'true');
            else
                button.removeAttribute('aria-current');
        }
    }

    #groupKey(event) {
        const buttons = [...this.#groups.children];
        const at = buttons.indexOf(document.activeElement);
        const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1}[event.key];
        if (event.key === 'ArrowDown' && at >= 0) {
            const {group} = buttons[at].dataset;
            this.#toGroup(group);
            this.#grid.querySelector(`[data-group=${group}] [data-emoji]`).focus();
        } else if (to === undefined || at < 0)
            return;
        else {
            const next = buttons.at(to % buttons.length);
            buttons.forEach((button) => button.setAttribute('tabindex', button === next ? '0' : '-1'));
            next.focus();
        }
        event.preventDefault();
    }

    // ---- the keyboard ----

    #noteActive(target) {
        if (!target.matches('[data-emoji]'))
            return;
        makeReachable(this.#grid, target);
        this.#tell(target);
    }

    #searchKey(event) {
        if (event.isComposing || event.keyCode === 229)
            return;
        const first = this.#grid.querySelector('[data-emoji]');
        if (event.key === 'Enter') {
            event.preventDefault();
            if (this.#search.value.trim() !== '' && first !== null)
                this.#pick(first, event.shiftKey, false);
        } else if (event.key === 'ArrowDown' && first !== null) {
            event.preventDefault();
            first.focus();
        }
    }

    #gridKey(event) {
        const cell = event.target.closest('[data-emoji]');
        if (cell === null || event.isComposing)
            return;
        if (event.key === 'Enter' || event.key === ' ') {
            event.preventDefault();
            this.#pick(cell, event.shiftKey, false);
            return;
        }
        const isText = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
        if (isText || event.key === 'Backspace') {
            this.#search.focus(); // the key goes there
            return;
        }
        const to = cellFrom(this.#grid, cell, event, this.#search);
        if (to === undefined)
            return;
        event.preventDefault();
        to.focus({preventScroll: true});
        to.scrollIntoView({block: 'nearest'});
    }
}
