// SPDX-License-Identifier: BSD-2-Clause
// The panel that opens beside a button: emoji, and where messages are written stickers, too.
import {el, icon} from './dom.js';
import {placeBeside} from './dialog.js';
import {EmojiPicker} from './emoji_picker.js';
import {t} from './i18n.js';
import {StickerPanel} from './sticker_panel.js';

export class ExpressionPanel {
    #parts; // {emoji, stickers}
    #tabs = {};
    #part = 'emoji';
    #back = null;
    #anchor = null;
    #pick = null;
    #pickSticker = null;
    #closedByButton = false; // by a press whose click is still to come
    #onPress = ({target}) => {
        this.#closedByButton = this.#anchor.contains(target);
    };
    #hadFocus = false;
    #node = el('div.expressions', {popover: 'auto', role: 'dialog', 'aria-label': t('emoji.label'), tabindex: '-1',
        onbeforetoggle: ({newState}) => newState === 'closed' && this.#noteClosed(), ontoggle: (event) => this.#toggled(event)});

    constructor(chat, {hasStickers = true} = {}) {
        this.#parts = {emoji: new EmojiPicker(chat.recentEmoji, (emoji, how) => this.#picked(emoji, how))};
        if (hasStickers)
            this.#parts.stickers = new StickerPanel(chat, (sticker) => this.#pickedSticker(sticker));
        this.#node.append(...hasStickers ? this.#withTabs() : [this.#parts.emoji.node]);
    }

    #withTabs() {
        const panels = Object.entries(this.#parts).map(([name, part]) => el('div.expressions-part', {role: 'tabpanel', id: `expressions-${name}`, 'aria-labelledby': `expressions-tab-${name}`}, part.node));
        const tabs = Object.keys(this.#parts).map((name, i) => {
            const tab = el('button', {type: 'button', role: 'tab', id: `expressions-tab-${name}`, 'aria-controls': `expressions-${name}`, onclick: () => this.#show(name, true)},
                icon(name === 'emoji' ? 'emoji' : 'sticker'), t(`${name}.label`));
            this.#tabs[name] = {tab, panel: panels[i]};
            return tab;
        });
        const onkeydown = ({key}) => {
            if (key === 'ArrowLeft' || key === 'ArrowRight') {
                this.#show(this.#part === 'emoji' ? 'stickers' : 'emoji', false);
                this.#tabs[this.#part].tab.focus();
            }
        };
        return [...panels, el('div.expressions-tabs', {role: 'tablist', 'aria-label': t('emoji.kinds'), onkeydown}, tabs)];
    }

    #show(name, toFocus) {
        this.#part = name;
        for (const [other, {tab, panel}] of Object.entries(this.#tabs)) {
            tab.setAttribute('aria-selected', String(other === name));
            tab.tabIndex = other === name ? 0 : -1;
            panel.hidden = other !== name;
        }
        const part = this.#parts[name];
        part.shown().then(() => toFocus && this.isOpen && !part.node.contains(document.activeElement) && part.focus());
        if (toFocus)
            part.focus();
    }

    get isOpen() {
        return this.#node.isConnected && this.#node.matches(':popover-open');
    }

    // Packs of stickers have changed.
    refresh() {
        if (this.isOpen)
            this.#parts.stickers?.refresh();
    }

    // Beside `beside`. pick(emoji, {keep}) returns whether the panel stays open; pickSticker(sticker), or null for
    // emoji alone. back: what gets the focus afterwards.
    open({anchor, beside = anchor, back = anchor, pick, pickSticker = null}) {
        if (this.#closedByButton) {
            this.#closedByButton = false;
            return;
        }
        this.#anchor = anchor;
        this.#back = back;
        this.#pick = pick;
        this.#pickSticker = pickSticker;
        (anchor.closest('dialog') ?? document.body).append(this.#node);
        this.#node.showPopover();
        addEventListener('pointerdown', this.#onPress, true);
        if (anchor.hasAttribute('aria-expanded'))
            anchor.setAttribute('aria-expanded', 'true');
        placeBeside(this.#node, beside.getBoundingClientRect());
        this.#node.focus({preventScroll: true});
        const hasStickers = pickSticker !== null && Boolean(this.#tabs.stickers);
        if (this.#tabs.stickers)
            this.#tabs.stickers.tab.parentElement.hidden = !hasStickers;
        this.#show(hasStickers ? this.#part : 'emoji', true);
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

    #pickedSticker(sticker) {
        this.close();
        this.#pickSticker(sticker);
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
