// SPDX-License-Identifier: BSD-2-Clause
// The panel with emoji that opens beside a button.
import {el} from './dom.js';
import {placeBeside} from './dialog.js';
import {EmojiPicker} from './emoji_picker.js';
import {t} from './i18n.js';

export class ExpressionPanel {
    #picker;
    #back = null;
    #anchor = null;
    #pick = null;
    #closedByButton = false; // by a press whose click is still to come
    #onPress = ({target}) => {
        this.#closedByButton = this.#anchor.contains(target);
    };
    #hadFocus = false;
    #node = el('div.expressions', {popover: 'auto', role: 'dialog', 'aria-label': t('emoji.label'), tabindex: '-1',
        onbeforetoggle: ({newState}) => newState === 'closed' && this.#noteClosed(), ontoggle: (event) => this.#toggled(event)});

    constructor() {
        this.#picker = new EmojiPicker((emoji, how) => this.#picked(emoji, how));
        this.#node.append(this.#picker.node);
    }

    get isOpen() {
        return this.#node.isConnected && this.#node.matches(':popover-open');
    }

    // Beside `beside`. pick(emoji, {keep}) returns whether the panel stays open. back: what gets the focus afterwards.
    open({anchor, beside = anchor, back = anchor, pick}) {
        if (this.#closedByButton) {
            this.#closedByButton = false;
            return;
        }
        this.#anchor = anchor;
        this.#back = back;
        this.#pick = pick;
        (anchor.closest('dialog') ?? document.body).append(this.#node);
        this.#node.showPopover();
        addEventListener('pointerdown', this.#onPress, true);
        if (anchor.hasAttribute('aria-expanded'))
            anchor.setAttribute('aria-expanded', 'true');
        placeBeside(this.#node, beside.getBoundingClientRect());
        this.#node.focus({preventScroll: true});
        this.#picker.focus();
        this.#picker.shown();
    }

    close() {
        if (this.isOpen)
            this.#node.hidePopover();
    }

    #picked(emoji, {keep}) {
        const stays = this.#pick(emoji, {keep});
        if (!stays)
            this.close();
    }

    #noteClosed() {
        removeEventListener('pointerdown', this.#onPress, true);
        this.#hadFocus = this.#node.contains(document.activeElement); // the browser gives it to the button next
    }

    #toggled({newState}) {
        if (newState === 'open')
            return;
        if (this.#anchor.hasAttribute('aria-expanded'))
            this.#anchor.setAttribute('aria-expanded', 'false');
        this.#node.remove();
        if ((this.#hadFocus || document.activeElement === document.body) && this.#back.isConnected)
            this.#back.focus({preventScroll: true});
    }
}
