// SPDX-License-Identifier: BSD-2-Clause
// A list to choose from while one types: the field keeps the focus, the arrow keys move in the list, Enter chooses. The
// combobox of ARIA's patterns.
import {el} from './dom.js';

const PAGE = 8;
let count = 0;

export class OptionList {
    #input;
    #onChoose;
    #id = `options-${++count}`;
    #items = [];
    #active = -1;
    node;

    // input: the field, without a role of its own. onChoose(item).
    constructor(input, label, onChoose) {
        this.#input = input;
        this.#onChoose = onChoose;
        this.node = el('ul.options', {role: 'listbox', id: this.#id, 'aria-label': label});
        for (const [name, value] of Object.entries({role: 'combobox', 'aria-autocomplete': 'list', 'aria-controls': this.#id, 'aria-expanded': 'false'}))
            input.setAttribute(name, value);
        this.node.addEventListener('mousedown', (event) => event.preventDefault()); // it must not take the focus
        input.addEventListener('keydown', (event) => this.#key(event));
    }

    get active() {
        return this.#items[this.#active] ?? null;
    }

    // items: [{key, nodes, attributes}]. The one that was active stays so, if `keep` and it is still there; else the first is.
    show(items, keep = false) {
        const before = keep ? this.active?.key : null;
        this.#items = items;
        this.node.replaceChildren(...items.map((item, i) => el('li.option', {role: 'option', id: `${this.#id}-${i}`, ...item.attributes,
            onclick: () => this.#onChoose(item)}, item.nodes)));
        this.#input.setAttribute('aria-expanded', String(items.length > 0));
        this.#activate(items.length === 0 ? -1 : Math.max(0, items.findIndex(({key}) => key === before)));
    }

    // At the end, while more is loaded.
    append(items) {
        const {length} = this.#items;
        this.#items = [...this.#items, ...items];
        this.node.append(...items.map((item, i) => el('li.option', {role: 'option', id: `${this.#id}-${length + i}`, 'aria-selected': 'false', ...item.attributes,
            onclick: () => this.#onChoose(item)}, item.nodes)));
        this.#input.setAttribute('aria-expanded', String(this.#items.length > 0));
        if (length === 0)
            this.#activate(this.#items.length > 0 ? 0 : -1);
    }

    activate(key) {
        this.#activate(this.#items.findIndex((item) => item.key === key));
    }

    #activate(index) {
        this.node.children[this.#active]?.setAttribute('aria-selected', 'false');
        this.#active = index;
        [...this.node.children].forEach((node, i) => node.setAttribute('aria-selected', String(i === index)));
        const active = this.node.children[index];
        if (active === undefined) {
            this.#input.removeAttribute('aria-activedescendant');
            return;
        }
        this.#input.setAttribute('aria-activedescendant', active.id);
        active.scrollIntoView({block: 'nearest'});
    }

    #key(event) {
        const {length} = this.#items;
        if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey || length === 0)
            return;
        const to = {ArrowDown: (this.#active + 1) % length, ArrowUp: (this.#active + length - (this.#active < 0 ? 0 : 1)) % length,
            PageDown: Math.min(length - 1, this.#active + PAGE), PageUp: Math.max(0, this.#active - PAGE)}[event.key];
        if (to !== undefined)
            this.#activate(to);
        else if (event.key === 'Enter' && this.active !== null)
            this.#onChoose(this.active);
        else
            return;
        event.preventDefault();
    }
}
