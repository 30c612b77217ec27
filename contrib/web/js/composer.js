// SPDX-License-Identifier: BSD-2-Clause
// Where a message is written: a text that grows, what it replies to, whom it mentions, and the way to pictures and files.
// What is not sent stays as a draft of the conversation.
import {cutOff, el, icon, iconButton} from './dom.js';
import {openAttachDialog} from './attach_dialog.js';
import {now} from './clock.js';
import {t} from './i18n.js';
import {MentionBox} from './mention_box.js';

const MAX_BYTES = 16384; // message.max_content's default; the server has the last word
const DRAFT_DELAY_MS = 200;

export class Composer {
    #chat;
    #conversation = null;
    #replyTo = null; // a message
    #onSent;
    #draftTimer = null;
    #slowUntil = 0; // milliseconds: the group is in slow mode, and takes no message before
    #slowTimer = null;
    #mentions;
    #reply = el('div.reply-bar', {hidden: true});
    #fault = el('p.fault', {role: 'alert', hidden: true});
    #slow = el('p.hint.slow', {hidden: true});
    #notAll = el('p.hint.not-all', {role: 'status'});
    #text = el('textarea', {rows: '1', dir: 'auto', id: 'compose', autocomplete: 'off', placeholder: t('composer.placeholder'),
        onkeydown: (event) => this.#key(event), oninput: () => this.#edited()});
    #send = el('button.send', {type: 'submit', 'aria-label': t('composer.send'), title: t('composer.send')}, icon('send'));
    #attachButton = iconButton('attach', t('composer.attach'), () => this.#attach());
    node = el('form.composer', {onsubmit: (event) => this.#submit(event)}, this.#reply, this.#fault, this.#slow, this.#notAll,
        el('div.compose-row', {}, this.#attachButton, this.#text, this.#send));

    // onSent(): something was sent from here
    constructor(chat, onSent) {
        this.#chat = chat;
        this.#onSent = onSent;
        this.#mentions = new MentionBox(chat, this.#text, () => this.#edited());
        this.node.prepend(this.#mentions.node);
        addEventListener('pagehide', () => this.#saveDraft());
    }

    open(conversation) {
        this.close();
        this.#conversation = conversation;
        this.#text.setAttribute('aria-label', t(conversation.isGroup ? 'group.compose' : 'composer.label', {name: this.#chat.title(conversation)}));
        const draft = this.#chat.drafts.of(conversation.key);
        this.#mentions.open(conversation, draft?.chosen ?? []);
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

    // A member of the group.
    mention(userId) {
        this.#mentions.insert(userId);
    }

    // until: 0 where there is no slow mode, or it is over.
    setSlow(until) {
        if (until === this.#slowUntil)
            return;
        this.#slowUntil = until;
        this.#countDown();
    }

    #countDown() {
        clearTimeout(this.#slowTimer);
        const seconds = Math.ceil((this.#slowUntil - now()) / 1000);
        this.#slow.hidden = seconds <= 0;
        this.#slow.textContent = seconds > 0 ? t('silence.slow', {seconds}) : '';
        this.#fit();
        if (seconds > 0)
            this.#slowTimer = setTimeout(() => this.#countDown(), 1000);
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
                el('p', {}, el('strong', {}, title), cutOff('span', this.#chat.shortText(message))),
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
        this.#mentions.refresh();
    }

    #cancelReply() {
        this.setReply(null);
        this.focus();
    }

    #key(event) {
        // An input method takes Enter to choose a word, and Escape to drop it. Safari tells of the key only when the
        // composition has ended, with 229 as its code. On a phone Enter is for a new line.
        if (event.isComposing || event.keyCode === 229 || this.#mentions.key(event))
            return;
        if (event.key === 'Enter' && !event.shiftKey && !matchMedia('(pointer: coarse)').matches)
            this.#submit(event);
        else if (event.key === 'Escape' && this.#replyTo !== null)
            this.#cancelReply();
    }

    #edited() {
        this.#fit();
        this.#mentions.look();
        if (this.#text.value !== '')
            this.#chat.typing(this.#conversation);
        clearTimeout(this.#draftTimer);
        this.#draftTimer = setTimeout(() => this.#saveDraft(), DRAFT_DELAY_MS);
    }

    #fit() {
        const notAll = this.#mentions.wantsAll(this.#text.value) ? t('mention.notAll') : '';
        if (this.#notAll.textContent !== notAll)
            this.#notAll.textContent = notAll;
        this.#text.style.height = 'auto';
        this.#text.style.height = `${this.#text.scrollHeight}px`;
        const count = new TextEncoder().encode(this.#text.value).length;
        this.#fault.hidden = count <= MAX_BYTES;
        this.#fault.textContent = count > MAX_BYTES ? t('composer.tooLong', {count, max: MAX_BYTES}) : '';
        const slow = this.#slowUntil > now();
        this.#send.disabled = this.#text.value.trim() === '' || count > MAX_BYTES || slow;
        this.#attachButton.disabled = slow;
    }

    #saveDraft() {
        clearTimeout(this.#draftTimer);
        if (this.#conversation)
            this.#chat.saveDraft(this.#conversation.key, {text: this.#text.value, replyTo: this.#replyTo, chosen: this.#mentions.chosen});
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
        const mentions = this.#mentions.mentionsOf(message.content ?? '');
        this.#mentions.reset();
        this.setReply(null);
        this.#chat.send(this.#conversation, {...message, reply_to, ...mentions.length > 0 && {mentions}});
        this.#onSent();
    }
}
