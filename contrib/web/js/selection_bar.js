// SPDX-License-Identifier: BSD-2-Clause
// In place of the composer while messages are selected: how many, and what can be done with them.
import {el, icon, iconButton} from './dom.js';
import {t} from './i18n.js';

export class SelectionBar {
    #count = el('p', {role: 'status'});
    #forward;
    node;

    // on.forward(), on.cancel()
    constructor(on) {
        this.#forward = el('button.primary', {type: 'button', onclick: on.forward}, icon('forward'), t('forward.short'));
        this.node = el('section.selection-bar', {'aria-label': t('selection.label'), hidden: true,
            onkeydown: (event) => event.key === 'Escape' && on.cancel()},
        iconButton('close', t('selection.cancel'), on.cancel), this.#count, this.#forward);
    }

    // selection: null where nothing is to be selected.
    show(selection) {
        this.node.hidden = selection === null;
        const text = selection === null ? '' : t('selection.count', {count: selection.count});
        if (this.#count.textContent !== text)
            this.#count.textContent = text;
        this.#forward.disabled = selection === null || selection.count === 0;
    }
}
