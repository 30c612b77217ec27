// SPDX-License-Identifier: BSD-2-Clause
// A line over the page that offers something, which the user may take or leave. One at a time.
import {el, textButton} from './dom.js';

export class OfferBar {
    node = el('div.offer', {role: 'status', hidden: true});

    // answers: [{text, spec, act}]; each ends it.
    show(text, answers) {
        this.node.replaceChildren(el('span', {}, text), el('div.buttons', {}, answers.map(({text: label, spec, act}) => textButton(`${spec}.small`, label, () => {
            this.node.hidden = true;
            act();
        }))));
        this.node.hidden = false;
    }

    get isShown() {
        return !this.node.hidden;
    }
}
