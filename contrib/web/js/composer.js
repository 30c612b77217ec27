// SPDX-License-Identifier: BSD-2-Clause
// Where a message is written or edited: a text that grows, what it replies to, whom it mentions, and the way to pictures
// and files. What is not sent stays as a draft of the conversation, also while another message is edited.
import {cutOff, el, icon, iconButton} from './dom.js';
import {chooseFiles, openAttachDialog} from './attach_dialog.js';
import {now} from './clock.js';
import {openMenu, say} from './dialog.js';
import {ExpressionPanel} from './expression_panel.js';
import {carriedOver} from './formatting.js';
import {reasonOf, t} from './i18n.js';
import {EVERYONE, MENTIONS_MAX} from './mention.js';
import {MentionBox} from './mention_box.js';
import {fromShortcuts} from './shortcuts.js';
import {isLiteral, toShortcuts} from './shortcuts_typed.js';
import {VoiceBar} from './voice_bar.js';

const MAX_BYTES = 16384; // message.max_content's default; the server has the last word
const DRAFT_DELAY_MS = 200;

export class Composer {
    #chat;
    #conversation = null;
    #replyTo = null; // a message
    #editing = null; // {message, before: the text as it was given, kept: entities that it does not say, saving}
    #onSent;
    #draftTimer = null;
    #slowUntil = 0; // milliseconds: the group is in slow mode, and takes no message before
    #slowTimer = null;
    #mentions;
    #bar = el('div.reply-bar', {hidden: true});
    #fault = el('p.fault', {role: 'alert', hidden: true});
    #slow = el('p.hint.slow', {hidden: true});
    #notAll = el('p.hint.not-all', {role: 'status'});
    #status = el('p.unseen', {role: 'status'});
    #text = el('textarea', {rows: '1', dir: 'auto', id: 'compose', autocomplete: 'off', placeholder: t('composer.placeholder'),
        onkeydown: (event) => this.#key(event), oninput: () => this.#changed()});
    #send = el('button.send', {type: 'submit'});
    #attachButton = iconButton('attach', t('composer.attach'), () => this.#attach(), {'aria-haspopup': 'menu'});
    #voice = new VoiceBar((recorded) => this.#sendVoice(recorded), (isOn) => this.#row.classList.toggle('recording', isOn));
    #expressions;
    #expressionsButton = iconButton('emoji', t('emoji.open'), () => this.#openExpressions(), {'aria-haspopup': 'dialog', 'aria-expanded': 'false'});
    #row = el('div.compose-row', {}, this.#attachButton, this.#text, this.#expressionsButton, this.#voice.node, this.#voice.button, this.#send);
    node = el('form.composer', {onsubmit: (event) => this.#submit(event)}, this.#bar, this.#fault, this.#slow, this.#notAll, this.#status,
        this.#row);

    // onSent(): something was sent from here
    constructor(chat, onSent) {
        this.#chat = chat;
        this.#onSent = onSent;
        this.#expressions = new ExpressionPanel(chat);
        chat.changes.listen((topics) => topics.has('stickers') && this.#expressions.refresh());
        this.#text.addEventListener('paste', (event) => this.#paste(event));
        this.#mentions = new MentionBox(chat, this.#text, () => this.#changed());
        this.node.prepend(this.#mentions.node);
        addEventListener('pagehide', () => {
            this.#saveDraft();
            if (this.#conversation)
                this.#chat.own.leaveDraft(this.#conversation);
        });
    }

    open(conversation) {
        this.close();
        this.#conversation = conversation;
        this.#takeDraft();
    }

    // What another device has as its draft.
    refreshDraft() {
        const c = this.#conversation;
        if (c === null || this.#editing !== null || this.#draftTimer !== null)
            return;
        const text = this.#chat.drafts.of(c.key)?.text ?? '';
        if (text === this.#text.value)
            return;
        this.#text.value = text;
        this.#fit();
    }

    #takeDraft() {
        const draft = this.#chat.drafts.of(this.#conversation.key);
        this.#editing = null;
        this.#show(draft?.text ?? '', draft?.chosen ?? []);
        this.setReply(draft?.replyTo ?? null);
        this.#fit();
    }

    // chosen: as MentionBox.open() takes it.
    #show(text, chosen) {
        const c = this.#conversation;
        const isEditing = this.#editing !== null;
        const [name, symbol] = isEditing ? [t('composer.save'), 'check'] : [t('composer.send'), 'send'];
        this.#text.setAttribute('aria-label', isEditing ? t('composer.editing') :
            t(c.isGroup ? 'group.compose' : 'composer.label', {name: this.#chat.title(c)}));
        this.#status.textContent = isEditing ? t('composer.editing') : '';
        this.#mentions.open(c, chosen);
        this.#text.value = text;
        this.#text.readOnly = false;
        this.#send.setAttribute('aria-label', name);
        this.#send.title = name;
        this.#send.replaceChildren(icon(symbol));
        this.#attachButton.hidden = isEditing;
        this.#row.classList.toggle('editing', isEditing);
    }

    close() {
        this.#expressions.close();
        this.#voice.cancel();
        if (this.#conversation) {
            this.#saveDraft();
            this.#chat.own.leaveDraft(this.#conversation);
        }
        this.#editing = null;
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

    // A message of this user. What was being written is there again afterwards.
    edit(message) {
        const {people} = this.#chat;
        this.#saveDraft();
        const {text, kept} = toShortcuts(message.content ?? '', message.entities);
        this.#editing = {message, before: text, kept, saving: false};
        this.#show(text, message.mentions.filter((id) => id !== EVERYONE).map((id) => [people.name(id), id]));
        this.#showBar('edit', t('composer.editing'), message, t('composer.cancelEdit'), () => this.#endEdit());
        this.#fit();
        this.focus();
        this.#text.setSelectionRange(text.length, text.length);
    }

    #endEdit() {
        this.#takeDraft();
        this.focus();
    }

    // message, or null for none.
    setReply(message) {
        if (this.#editing !== null)
            this.#takeDraft();
        this.#replyTo = message;
        if (message === null)
            this.#hideBar();
        else {
            const name = this.#chat.people.name(message.from_user_id);
            const title = message.from_user_id === this.#chat.me ? t('composer.replyToSelf') : t('composer.replyTo', {name});
            this.#showBar('reply', title, message, t('composer.cancelReply'), () => this.#cancelReply());
        }
        this.#saveDraft();
    }

    #hideBar() {
        this.#bar.hidden = true;
        this.#bar.replaceChildren();
        this.#text.removeAttribute('aria-describedby');
    }

    #showBar(symbol, title, message, cancelLabel, cancel) {
        this.#bar.hidden = false;
        this.#bar.replaceChildren(icon(symbol),
            el('p', {id: 'compose-about'}, el('strong', {}, title), cutOff('span', this.#chat.shortText(message))),
            iconButton('close', cancelLabel, cancel));
        this.#text.setAttribute('aria-describedby', 'compose-about');
    }

    // What is replied to or edited may have been recalled or deleted meanwhile.
    refresh() {
        if (this.#conversation === null)
            return;
        const c = this.#conversation;
        const isGone = ({id}) => c.byId(id)?.is_recalled || c.history.isDeleted(id);
        if (this.#editing !== null && isGone(this.#editing.message))
            this.#takeDraft();
        else if (this.#replyTo !== null && this.#editing === null)
            this.#refreshReply(isGone(this.#replyTo) ? null : c.byId(this.#replyTo.id) ?? this.#replyTo);
        this.#mentions.refresh();
    }

    #refreshReply(message) {
        if (message === null || message.edited_at !== this.#replyTo.edited_at)
            this.setReply(message);
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
        else if (event.key === 'Escape' && this.#editing !== null)
            this.#endEdit();
        else if (event.key === 'Escape' && this.#replyTo !== null)
            this.#cancelReply();
        else if (event.key === 'ArrowUp' && this.#text.value === '' && this.#editing === null)
            this.#editLast(event);
    }

    #editLast(event) {
        const c = this.#conversation;
        const last = c.history.lastOf(this.#chat.me, (m) => !m.is_recalled);
        const isSending = this.#chat.outgoing.to(c.key).some(({problem}) => problem === null); // the last one is not there yet
        if (last === null || isSending || !this.#chat.canEdit(last))
            return;
        event.preventDefault();
        this.edit(last);
    }

    #changed() {
        this.#fit();
        this.#mentions.look();
        if (this.#editing !== null)
            return;
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
        const count = this.#bytes();
        this.#fault.hidden = count <= MAX_BYTES;
        this.#fault.textContent = count > MAX_BYTES ? t('composer.tooLong', {count, max: MAX_BYTES}) : '';
        const slow = this.#slowUntil > now();
        const mayBeEmpty = this.#editing !== null && this.#editing.message.message_type !== 'text'; // a caption
        this.#send.disabled = (this.#text.value.trim() === '' && !mayBeEmpty) || count > MAX_BYTES ||
            (this.#editing === null ? slow : this.#editing.saving);
        this.#attachButton.disabled = this.#voice.button.disabled = slow;
        this.#row.classList.toggle('blank', this.#text.value === '');
    }

    // Of what would be sent: the shortcuts are not part of it.
    #bytes() {
        const bytesOf = (text) => new TextEncoder().encode(text).length;
        const count = bytesOf(this.#text.value);
        return count <= MAX_BYTES || count > 2 * MAX_BYTES ? count : bytesOf(fromShortcuts(this.#text.value.trim()).content);
    }

    #saveDraft() {
        clearTimeout(this.#draftTimer);
        this.#draftTimer = null;
        if (this.#conversation && this.#editing === null)
            this.#chat.own.saveDraft(this.#conversation, {text: this.#text.value, replyTo: this.#replyTo, chosen: this.#mentions.chosen});
    }

    #submit(event) {
        event.preventDefault();
        if (this.#send.disabled)
            return;
        const content = this.#text.value.trim();
        if (this.#editing !== null) {
            this.#saveEdit(content);
            return;
        }
        this.#text.value = '';
        this.#fit();
        this.#sendMessage({type: 'text', content});
        this.#saveDraft();
        this.#chat.own.leaveDraft(this.#conversation);
        this.focus();
    }

    async #saveEdit(text) {
        const editing = this.#editing;
        const isOpen = () => this.#editing === editing;
        if (text === editing.before.trim()) {
            this.#endEdit();
            return;
        }
        this.#setSaving(true);
        const {message, kept, before} = editing;
        const was = message.content ?? '';
        const {content, entities} = carriedOver(was, kept, isLiteral(before, was) ? {content: text, entities: null} : fromShortcuts(text));
        try {
            await this.#chat.edit(message, {content, entities, mentions: this.#mentionsNow(message, content)});
            if (isOpen())
                this.#endEdit();
        } catch (problem) {
            say(problem.code === 'edit_expired' ? t('message.editTooLate') : reasonOf(problem));
            if (isOpen())
                this.#setSaving(false);
        }
    }

    #setSaving(saving) {
        this.#editing.saving = saving;
        this.#text.readOnly = saving;
        this.#fit();
    }

    // Whom the message mentions without saying so in its text, it goes on to mention.
    #mentionsNow(message, content) {
        const said = new Set(this.#mentions.mentionsOf(message.content ?? ''));
        const now = this.#mentions.mentionsOf(content);
        const unsaid = message.mentions.filter((id) => !said.has(id));
        return now.includes(EVERYONE) || unsaid.includes(EVERYONE) ? [EVERYONE] : [...new Set([...unsaid, ...now])].slice(0, MENTIONS_MAX);
    }

    #openExpressions() {
        const pick = (emoji, {keep}) => {
            this.#insert(emoji);
            return keep;
        };
        const maySend = this.#editing === null && this.#slowUntil <= now();
        const pickSticker = ({pack, id, emoji}) => this.#sendMessage({type: 'sticker', content: null, extra: {pack, sticker: id, emoji}});
        this.#expressions.open({anchor: this.#expressionsButton, back: this.#text, pick, pickSticker: maySend ? pickSticker : null});
    }

    // Where the caret is, in place of what is selected.
    #insert(text) {
        if (this.#text.readOnly)
            return;
        this.#text.setRangeText(text, this.#text.selectionStart, this.#text.selectionEnd, 'end');
        this.#changed();
    }

    #attach() {
        const choose = (accept, capture) => async () => this.attach(await chooseFiles(accept, capture));
        openMenu(this.#attachButton, t('composer.attach'), [
            {label: t('attach.pictures'), icon: 'image', act: choose('image/*,video/*')},
            matchMedia('(pointer: coarse)').matches && {label: t('attach.camera'), icon: 'camera', act: choose('image/*', true)},
            {label: t('attach.files'), icon: 'file', act: choose('')},
        ]);
    }

    // Whether files could be sent now.
    get takesFiles() {
        return this.#conversation !== null && !this.node.hidden && this.#editing === null && !this.#attachButton.disabled;
    }

    // Files that were chosen, dropped or pasted.
    attach(files) {
        if (files.length === 0 || !this.takesFiles)
            return;
        const c = this.#conversation;
        openAttachDialog(files, (chosen, {content, original}) => {
            if (c === this.#conversation)
                this.#sendFiles(chosen, {original, ...this.#withCaption(content)});
        });
    }

    // A screenshot. Where there is text as well, as from a spreadsheet, that is meant.
    #paste(event) {
        const files = [...event.clipboardData?.files ?? []];
        if (files.length === 0 || event.clipboardData.types.includes('text/plain'))
            return;
        event.preventDefault();
        this.attach(files);
    }

    #withCaption(text) {
        const {content, entities} = text ? fromShortcuts(text) : {content: null, entities: null};
        const mentions = this.#mentions.mentionsOf(content ?? '');
        return {content, ...entities !== null && {entities}, ...mentions.length > 0 && {mentions}};
    }

    #sendVoice({file, seconds, waveform}) {
        this.#sendFiles([file], {kind: 'voice', extra: {duration: seconds, waveform}});
    }

    #sendFiles(files, options) {
        const reply_to = this.#replyTo?.id ?? null;
        this.setReply(null);
        this.#chat.sendFiles(this.#conversation, files, {...options, ...reply_to !== null && {reply_to}});
        this.#onSent();
        this.focus();
    }

    #sendMessage(message) {
        const reply_to = this.#replyTo?.id ?? null;
        const {content, entities} = message.content ? fromShortcuts(message.content) : {content: message.content, entities: null};
        const mentions = this.#mentions.mentionsOf(content ?? '');
        this.#mentions.reset();
        this.setReply(null);
        this.#chat.send(this.#conversation, {...message, content, reply_to, ...entities !== null && {entities}, ...mentions.length > 0 && {mentions}});
        this.#onSent();
    }
}
