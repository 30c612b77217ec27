// SPDX-License-Identifier: BSD-2-Clause
// The open conversation: whom it is with, its messages, and where to write, or why one cannot.
import {avatar} from './avatar.js';
import {Composer} from './composer.js';
import {cutOff, el, iconButton, textButton} from './dom.js';
import {openMenu, say} from './dialog.js';
import {nameOf, shortTime} from './format.js';
import {reasonOf, t} from './i18n.js';
import {personMenu, requestFault} from './person_menu.js';
import {TimelineView} from './timeline_view.js';

export class RoomView {
    #chat;
    #conversation = null;
    #name = cutOff('h2', '');
    #status = el('p.room-status', {role: 'status'});
    #avatar = el('span.room-avatar');
    #notice = el('div.room-notice', {hidden: true});
    #timeline;
    #composer;
    #menu = iconButton('more', t('room.menu'), () => this.#openMenu(),
        {class: 'icon-button more', 'aria-haspopup': 'menu'});
    node;

    // onBack() on a phone, where the list is another page
    constructor(chat, onBack) {
        this.#chat = chat;
        this.#timeline = new TimelineView(chat, (message) => {
            this.#composer.setReply(message);
            this.#composer.focus();
        });
        this.#composer = new Composer(chat, () => this.#timeline.toLatest());
        this.node = el('div.room', {hidden: true},
            el('header.room-header', {},
                iconButton('back', t('room.back'), onBack, {class: 'icon-button back'}), this.#avatar,
                el('div.room-title', {}, this.#name, this.#status), this.#menu),
            this.#timeline.node, this.#notice, this.#composer.node);
    }

    get conversation() {
        return this.#conversation;
    }

    open(conversation) {
        this.close();
        this.#conversation = conversation;
        this.node.hidden = false;
        this.refresh();
        this.#composer.open(conversation);
        this.#timeline.open(conversation);
        if (!matchMedia('(pointer: coarse)').matches)
            this.#composer.focus();
    }

    close() {
        if (!this.#conversation)
            return;
        this.#composer.close();
        this.#timeline.close();
        this.#conversation = null;
        this.node.hidden = true;
    }

    // Everything but the messages.
    refresh() {
        const c = this.#conversation;
        if (!c)
            return;
        const {people} = this.#chat;
        const profile = people.profile(c.peer.user_id);
        const name = nameOf(profile);
        const online = people.isOnline(c.peer.user_id);
        const trusted = people.isTrusted(c.peer.user_id);
        const shown = `${name} ${profile.avatar_url} ${trusted} ${online}`;
        if (this.#avatar.dataset.shown !== shown) {
            this.#avatar.dataset.shown = shown;
            this.#avatar.replaceChildren(avatar(profile, trusted, online));
        }
        if (this.#name.textContent !== name)
            this.#name.textContent = name;
        this.#status.textContent = this.#statusText(c, online);
        this.#status.classList.toggle('typing', c.typing);
        this.#showNotice(name);
    }

    refreshTimeline() {
        this.#timeline.refresh();
        this.#composer.refresh();
    }

    #statusText(c, online) {
        if (c.typing)
            return t('side.typing');
        if (online)
            return t('people.online');
        const seen = this.#chat.people.lastSeen(c.peer.user_id);
        if (seen !== null)
            return t('people.lastSeen', {time: shortTime(seen)});
        return online === false ? t('people.offline') : '';
    }

    // In place of the composer.
    #showNotice(name) {
        const {people} = this.#chat;
        const peerId = this.#conversation.peer.user_id;
        const stranger = people.hasAsked(peerId) ? 'asks' : 'stranger';
        const kind = people.hasBlocked(peerId) ? 'blocked' : people.loaded && !people.isFriend(peerId) ? stranger : '';
        const asked = people.isAsked(peerId);
        this.#composer.node.hidden = kind !== '' || this.#chat.state.state === 'replaced';
        this.#notice.hidden = kind === '';
        const shown = `${kind} ${asked} ${peerId}`;
        if (this.#notice.dataset.shown === shown)
            return;
        this.#notice.dataset.shown = shown;
        if (kind === 'blocked')
            this.#notice.replaceChildren(el('p', {}, t('room.iBlocked', {name})),
                textButton('quiet', t('people.unblock'), () => this.#befriend('unblock', reasonOf)));
        else if (kind === 'asks')
            this.#notice.replaceChildren(el('p', {}, t('people.asks', {name})),
                textButton('primary', t('people.accept'), () => this.#befriend('acceptFriend', reasonOf)),
                textButton('quiet', t('people.decline'), () => this.#befriend('declineFriend', reasonOf)));
        else
            this.#notice.replaceChildren(el('p', {}, t('room.notFriends', {name})),
                textButton('quiet', t(asked ? 'people.sent' : 'people.add'),
                    () => this.#befriend('requestFriend', (problem) => requestFault(problem, name)), {disabled: asked}));
    }

    async #befriend(what, inWords) {
        try {
            await this.#chat.befriend(what, this.#conversation.peer.user_id);
        } catch (problem) {
            say(inWords(problem));
        }
    }

    #openMenu() {
        openMenu(this.#menu, t('room.menu'), personMenu(this.#chat, this.#conversation.peer.user_id));
    }
}
