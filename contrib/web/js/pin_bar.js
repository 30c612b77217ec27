// SPDX-License-Identifier: BSD-2-Clause
// What is pinned, over the messages of a conversation: the message that was pinned last, and the way to all of them.
import {cutOff, el, icon, iconButton, textButton} from './dom.js';
import {openDialog, say} from './dialog.js';
import {shortTime} from './format.js';
import {reasonOf, t} from './i18n.js';
import {mayUnpin} from './pins.js';

export class PinBar {
    #chat;
    #conversation = null;
    #goTo;
    #shown = '';
    #title = el('strong');
    #text = el('span');
    #about = el('button.pin-about', {type: 'button', onclick: () => this.#goTo(this.#chat.pins.of(this.#conversation)[0])},
        icon('pin'), el('span.pin-text', {}, this.#title, this.#text));
    #count = el('span.badge');
    #list = iconButton('list', t('pins.list'), () => this.#openList(), {class: 'icon-button pin-list', 'aria-haspopup': 'dialog'});
    #unpin = iconButton('close', t('pins.unpin'), () => this.#unpinFirst(), {class: 'icon-button unpin'});
    node = el('section.pin-bar', {'aria-label': t('pins.title'), hidden: true}, this.#about, this.#list, this.#unpin);

    // goTo(message)
    constructor(chat, goTo) {
        this.#chat = chat;
        this.#goTo = goTo;
        this.#list.append(this.#count);
    }

    // conversation: null for none
    open(conversation) {
        this.#conversation = conversation;
        this.#shown = '';
        this.node.hidden = true;
        this.#chat.pins.show(conversation?.gone === null ? conversation : null);
    }

    refresh() {
        const c = this.#conversation;
        if (c === null)
            return;
        const pinned = c.gone === null ? this.#chat.pins.of(c) : [];
        const first = pinned[0];
        const shown = first ? JSON.stringify([first.id, pinned.length, this.#chat.shortText(first), mayUnpin(c)]) : '';
        if (shown === this.#shown)
            return;
        this.#shown = shown;
        const hadFocus = this.node.contains(document.activeElement);
        this.node.hidden = !first;
        if (!first)
            return;
        this.#title.textContent = t('pins.pinned');
        this.#text.replaceWith(this.#text = cutOff('span', this.#chat.shortText(first)));
        this.#about.setAttribute('aria-label', `${t('pins.goTo')}: ${this.#chat.shortText(first)}`);
        this.#list.hidden = pinned.length === 1;
        this.#count.textContent = pinned.length;
        this.#list.setAttribute('aria-label', t('pins.listOf', {count: pinned.length}));
        this.#unpin.hidden = pinned.length > 1 || !mayUnpin(c);
        if (hadFocus && !this.node.contains(document.activeElement))
            this.#about.focus();
    }

    #unpinFirst() {
        return this.#unpinOne(this.#conversation, this.#chat.pins.of(this.#conversation)[0]);
    }

    async #unpinOne(c, message) {
        try {
            await this.#chat.pins.unpin(c, message);
        } catch (problem) {
            say(reasonOf(problem));
        }
    }

    #openList() {
        const c = this.#conversation;
        const list = el('ul.list.plain.pinned');
        const hint = el('p.hint', {role: 'status'});
        const dialog = openDialog(t('pins.title'), hint, list);
        const show = () => {
            const pinned = this.#chat.pins.of(c);
            const focused = [...list.children].findIndex((row) => row.contains(document.activeElement));
            hint.textContent = pinned.length === 0 ? t('pins.none') : '';
            list.replaceChildren(...pinned.map((message) => this.#row(c, message, dialog)));
            if (focused >= 0)
                (list.children[Math.min(focused, list.children.length - 1)]?.querySelector('button') ?? dialog.querySelector('button')).focus();
        };
        const stop = this.#chat.changes.listen(show);
        dialog.addEventListener('close', stop);
        show();
    }

    #row(c, message, dialog) {
        const {me, people} = this.#chat;
        const name = message.from_user_id === me ? t('message.you') : people.name(message.from_user_id);
        const text = this.#chat.shortText(message);
        const go = el('button.pinned-message', {type: 'button', onclick: () => {
            dialog.close();
            this.#goTo(message);
        }}, el('span.pinned-top', {}, cutOff('strong', name), el('time', {datetime: message.created_at}, shortTime(message.created_at))), cutOff('span', text));
        return el('li', {'data-id': message.id}, go, mayUnpin(c) && textButton('quiet.small', t('pins.unpinShort'), () => this.#unpinOne(c, message),
            {'aria-label': `${t('pins.unpin')}: ${text}`}));
    }
}
