// SPDX-License-Identifier: BSD-2-Clause
// Where a message is written: a text that grows, what it replies to, and the way to pictures and files. What is not sent
// stays as a draft of the conversation.
import {cutOff, el, icon, iconButton} from './dom.js';
import {openAttachDialog} from './attach_dialog.js';
import {nameOf} from './format.js';
import {t} from './i18n.js';
import {shortText} from './message_view.js';

const MAX_BYTES = 16384; // message.max_content's default; the server has the last word
const DRAFT_DELAY_MS = 200;

export class Composer {
    #chat;
    #conversation = null;
    #replyTo = null; // a message
    #onSent;
    #draftTimer = null;
    #reply = el('div.reply-bar', {hidden: true});
    #fault = el('p.fault', {role: 'alert', hidden: true});
    #text = el('textarea', {rows: '1', dir: 'auto', id: 'compose', autocomplete: 'off', placeholder: t('composer.placeholder'),
        onkeydown: (event) => this.#key(event), oninput: () => this.#edited()});
    #send = el('button.send', {type: 'submit', 'aria-label': t('composer.send'), title: t('composer.send')}, icon('send'));
    node = el('form.composer', {onsubmit: (event) => this.#submit(event)}, this.#reply, this.#fault,
        el('div.compose-row', {},
            iconButton('attach', t('composer.attach'), () => this.#attach()), this.#text, this.#send));

    // onSent(): something was sent from here
    constructor(chat, onSent) {
        this.#chat = chat;
        this.#onSent = onSent;
        addEventListener('pagehide', () => this.#saveDraft());
    }

    open(conversation) {
        this.close();
        this.#conversation = conversation;
        this.#text.setAttribute('aria-label', t('composer.label', {name: nameOf(conversation.peer)}));
        const draft = this.#chat.drafts.of(conversation.peer.user_id);
        this.#text.value = draft?.text ?? '';
        this.setReply(draft?.replyTo ?? null);
        this.#fit();
    }

    close() {
        if (this.#conversation)
            this.#saveDraft();
        this.#conversation = null;
    }

    focus() {
        this.#text.focus();
    }

    // message, or null for none.
    setReply(message) {
        this.#replyTo = message;
        this.#reply.hidden = message === null;
        this.#reply.replaceChildren();
        if (message !== null) {
            const name = this.#chat.people.name(message.from_user_id);
            const title = message.from_user_id === this.#chat.me ? t('composer.replyToSelf') : t('composer.replyTo', {name});
            this.#reply.append(icon('reply'),
                el('p', {}, el('strong', {}, title), cutOff('span', shortText(message, this.#chat.me))),
                iconButton('close', t('composer.cancelReply'), () => this.#cancelReply()));
        }
        this.#saveDraft();
    }

    // What is replied to may have been recalled or deleted meanwhile.
    refresh() {
        const history = this.#conversation?.history;
        const message = this.#replyTo && history?.byId(this.#replyTo.id);
        if (message?.is_recalled || (this.#replyTo && history?.isDeleted(this.#replyTo.id)))
            this.setReply(null);
    }

    #cancelReply() {
        this.setReply(null);
        this.focus();
    }

    #key(event) {
        // An input method takes Enter to choose a word, and Escape to drop it. Safari tells of the key only when the
        // composition has ended, with 229 as its code. On a phone Enter is for a new line.
        if (event.isComposing || event.keyCode === 229)
            return;
        if (event.key === 'Enter' && !event.shiftKey && !matchMedia('(pointer: coarse)').matches)
            this.#submit(event);
        else if (event.key === 'Escape' && this.#replyTo !== null)
            this.#cancelReply();
    }

    #edited() {
        this.#fit();
        if (this.#text.value !== '')
            this.#chat.typing(this.#conversation);
        clearTimeout(this.#draftTimer);
        this.#draftTimer = setTimeout(() => this.#saveDraft(), DRAFT_DELAY_MS);
    }

    #fit() {
        this.#text.style.height = 'auto';
        this.#text.style.height = `${this.#text.scrollHeight}px`;
        const count = new TextEncoder().encode(this.#text.value).length;
        this.#fault.hidden = count <= MAX_BYTES;
        this.#fault.textContent = count > MAX_BYTES ? t('composer.tooLong', {count, max: MAX_BYTES}) : '';
        this.#send.disabled = this.#text.value.trim() === '' || count > MAX_BYTES;
    }

    #saveDraft() {
        clearTimeout(this.#draftTimer);
        if (this.#conversation)
            this.#chat.saveDraft(this.#conversation.peer.user_id, {text: this.#text.value, replyTo: this.#replyTo});
    }

    #submit(event) {
        event.preventDefault();
        if (this.#send.disabled)
            return;
        const content = this.#text.value.trim();
        this.#text.value = '';
        this.#fit();
        this.#sendMessage({type: 'text', content});
        this.#saveDraft();
        this.focus();
    }

    #attach() {
        openAttachDialog((message) => this.#sendMessage(message));
    }

    #sendMessage(message) {
        const reply_to = this.#replyTo?.id ?? null;
        this.setReply(null);
        this.#chat.send(this.#conversation.peer.user_id, {...message, reply_to});
        this.#onSent();
    }
}
