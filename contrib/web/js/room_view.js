// SPDX-License-Identifier: BSD-2-Clause
// The open conversation: whom it is with, or which group; its messages, and where to write, or why one cannot.
import {avatar, groupAvatar} from './avatar.js';
import {now} from './clock.js';
import {Composer} from './composer.js';
import {conversationMenu, expiryText, mutedText} from './conversation_menu.js';
import {cutOff, el, iconButton, sign, textButton} from './dom.js';
import {openMenu, say} from './dialog.js';
import {typingText} from './chat_list_view.js';
import {onFilesDropped} from './drop.js';
import {shortTime, untilTime} from './format.js';
import {openGroupPanel} from './group_panel.js';
import {hasText, reasonOf, t} from './i18n.js';
import {openOverview} from './overview_dialog.js';
import {personMenu, requestFault} from './person_menu.js';
import {PinBar} from './pin_bar.js';
import {RoomSearch} from './room_search.js';
import {SelectionBar} from './selection_bar.js';
import {TimelineView} from './timeline_view.js';

export class RoomView {
    #chat;
    #conversation = null;
    #onBack;
    #wasGone = false; // the user is out of this group, and may come back
    #timer = null; // until one may write again
    #name = cutOff('h2', '');
    #signs = el('span.signs');
    #status = el('p.room-status', {role: 'status'});
    #avatar = el('span.room-avatar');
    #notice = el('div.room-notice', {hidden: true});
    #timeline;
    #pinBar;
    #selectionBar = new SelectionBar({forward: () => this.#timeline.forwardSelected(), cancel: () => this.#endSelection()});
    #search;
    #composer;
    #dropped;
    #menu = iconButton('more', t('room.menu'), () => this.#openMenu(),
        {class: 'icon-button more', 'aria-haspopup': 'menu'});
    #waiting = el('span.badge', {hidden: true});
    #info = iconButton('people', t('group.info'), () => this.#openPanel(), {class: 'icon-button group-info', 'aria-haspopup': 'dialog'});
    node;

    // onBack() on a phone, where the list is another page
    constructor(chat, onBack) {
        this.#chat = chat;
        this.#onBack = onBack;
        this.#timeline = new TimelineView(chat, {
            reply: (message) => {
                this.#composer.setReply(message);
                this.#composer.focus();
            },
            edit: (message) => this.#composer.edit(message),
            mention: (userId) => this.#composer.mention(userId),
            select: () => this.#showSelection(),
        });
        this.#pinBar = new PinBar(chat, (message) => this.#timeline.goTo(message));
        this.#composer = new Composer(chat, () => this.#timeline.toLatest());
        this.#search = new RoomSearch(chat, {
            goTo: (message, takesFocus) => this.#timeline.goTo(message, takesFocus),
            mark: (items) => this.#timeline.mark(items),
            closed: () => this.focus(),
        });
        this.#info.append(this.#waiting);
        this.#dropped = onFilesDropped(() => this.#conversation !== null && this.#composer.takesFiles, (files) => this.#composer.attach(files));
        this.node = el('div.room', {hidden: true},
            el('header.room-header', {},
                iconButton('back', t('room.back'), onBack, {class: 'icon-button back'}), this.#avatar,
                el('div.room-title', {}, el('div.room-name', {}, this.#name, this.#signs), this.#status), this.#menu, this.#info),
            this.#dropped.node, this.#search.node, this.#pinBar.node, this.#timeline.node, this.#notice, this.#composer.node, this.#selectionBar.node);
        this.#dropped.listenOn(this.node);
    }

    get conversation() {
        return this.#conversation;
    }

    open(conversation) {
        this.close();
        this.#conversation = conversation;
        this.#wasGone = conversation.gone !== null;
        this.node.hidden = false;
        this.#info.hidden = !conversation.isGroup;
        this.#menu.hidden = false;
        if (conversation.isGroup)
            this.#chat.groups.show(conversation);
        this.#composer.open(conversation);
        this.#pinBar.open(conversation);
        this.refresh();
        this.#timeline.open(conversation);
        this.#chat.own.opened(conversation);
        this.focus();
    }

    close() {
        if (!this.#conversation)
            return;
        clearTimeout(this.#timer);
        this.#search.leave();
        this.#composer.close();
        this.#pinBar.open(null);
        this.#timeline.close();
        this.#chat.groups.show(null);
        this.#conversation = null;
        this.node.hidden = true;
    }

    // To a message of the conversation, an item of GET /messages/search.
    goTo(item) {
        this.#timeline.mark([item]);
        this.#timeline.goTo(item.message);
    }

    // Once more it is the browser's own.
    openSearch() {
        if (this.#conversation === null || this.#conversation.gone !== null || this.#search.hasFocus)
            return false;
        this.#search.open(this.#conversation);
        return true;
    }

    refreshDraft() {
        this.#composer.refreshDraft();
    }

    focus() {
        if (!matchMedia('(pointer: coarse)').matches)
            this.#composer.focus();
    }

    // Everything but the messages.
    refresh() {
        const c = this.#conversation;
        if (!c)
            return;
        if (this.#wasGone && c.gone === null) {
            this.open(c);
            return;
        }
        this.#wasGone = c.gone !== null;
        const name = this.#chat.title(c);
        if (this.#name.textContent !== name)
            this.#name.textContent = name;
        this.#showPicture(c, name);
        this.#showSigns(c);
        this.#status.textContent = c.isGroup ? this.#groupStatus(c) : this.#personStatus(c);
        this.#status.classList.toggle('typing', c.typing.length > 0);
        if (c.isGroup)
            this.#showGroupNotice(c);
        else
            this.#showNotice(c, name);
    }

    refreshTimeline() {
        this.refresh();
        this.#pinBar.refresh();
        this.#timeline.refresh();
        this.#showSelection(); // some may have been recalled
        this.#search.refresh();
        this.#composer.refresh();
    }

    #showPicture(c, name) {
        const {people} = this.#chat;
        const profile = c.isGroup ? c.group : people.profile(c.peer.user_id);
        const online = c.isGroup ? null : people.isOnline(c.peer.user_id);
        const trusted = c.isGroup ? c.gone === null : people.isTrusted(c.peer.user_id);
        const shown = `${name} ${profile.avatar_url} ${trusted} ${online}`;
        if (this.#avatar.dataset.shown === shown)
            return;
        this.#avatar.dataset.shown = shown;
        this.#avatar.replaceChildren(c.isGroup ? groupAvatar({name, avatar_url: profile.avatar_url}, trusted) : avatar(profile, trusted, online));
    }

    #showSigns(c) {
        const muted = c.isMuted ? mutedText(c) : '';
        const expiry = expiryText(c);
        const shown = `${muted}|${expiry}`;
        if (this.#signs.dataset.shown === shown)
            return;
        this.#signs.dataset.shown = shown;
        this.#signs.replaceChildren(...muted === '' ? [] : [sign('mute', muted)], ...expiry === '' ? [] : [sign('timer', expiry)]);
    }

    #personStatus(c) {
        if (c.typing.length > 0)
            return t('side.typing');
        const {people} = this.#chat;
        const online = people.isOnline(c.peer.user_id);
        if (online)
            return t('people.online');
        const seen = people.lastSeen(c.peer.user_id);
        if (seen !== null)
            return t('people.lastSeen', {time: shortTime(seen)});
        return online === false ? t('people.offline') : '';
    }

    #groupStatus({typing, group, gone}) {
        if (typing.length > 0)
            return typingText(typing.map((id) => this.#chat.people.name(id)));
        return gone === null ? t('group.members', {count: group.member_count}) : '';
    }

    // ---- in place of the composer ----

    #showSelection() {
        const {selection} = this.#timeline;
        this.node.classList.toggle('selecting', selection !== null);
        this.#selectionBar.show(selection);
    }

    #endSelection() {
        this.#timeline.endSelection();
        this.#timeline.focus();
    }

    #showNotice(c, name) {
        const {people} = this.#chat;
        const peerId = c.peer.user_id;
        const stranger = people.hasAsked(peerId) ? 'asks' : 'stranger';
        const kind = people.hasBlocked(peerId) ? 'blocked' : people.loaded && !people.isFriend(peerId) ? stranger : '';
        const asked = people.isAsked(peerId);
        this.#composer.setSlow(0);
        this.#replaceComposer(kind, `${kind} ${asked} ${peerId}`, () => {
            if (kind === 'blocked')
                return [el('p', {}, t('room.iBlocked', {name})),
                    textButton('quiet', t('people.unblock'), () => this.#befriend('unblock', reasonOf))];
            if (kind === 'asks')
                return [el('p', {}, t('people.asks', {name})),
                    textButton('primary', t('people.accept'), () => this.#befriend('acceptFriend', reasonOf)),
                    textButton('quiet', t('people.decline'), () => this.#befriend('declineFriend', reasonOf))];
            return [el('p', {}, t('room.notFriends', {name})),
                textButton('quiet', t(asked ? 'people.sent' : 'people.add'),
                    () => this.#befriend('requestFriend', (problem) => requestFault(problem, name)), {disabled: asked})];
        });
    }

    #showGroupNotice(c) {
        clearTimeout(this.#timer);
        const silent = c.gone === null ? this.#chat.silenceOf(c) : null;
        const slow = silent?.why === 'slow';
        const {waiting} = this.#chat.groups.of(c);
        this.#info.hidden = this.#menu.hidden = c.gone !== null;
        this.#waiting.hidden = waiting === 0;
        this.#waiting.textContent = waiting;
        this.#info.setAttribute('aria-label', waiting === 0 ? t('group.info') : `${t('group.info')}, ${t('panel.waiting', {count: waiting})}`);
        this.#composer.setSlow(slow ? silent.until : 0);
        if (silent?.until)
            this.#timer = setTimeout(() => this.refresh(), Math.min(silent.until - now(), 3600000) + 50);
        if (c.gone !== null) {
            const why = hasText(`group.${c.gone}`) ? `group.${c.gone}` : 'group.gone';
            this.#replaceComposer('gone', why, () => [el('p', {}, t(why)), textButton('quiet', t('group.close'), this.#onBack)]);
        } else if (silent === null || slow)
            this.#replaceComposer('', '', () => []);
        else {
            const time = silent.until && untilTime(silent.until);
            this.#replaceComposer(silent.why, `${silent.why} ${time}`, () => [el('p', {}, t(`silence.${silent.why}`, {time}))]);
        }
    }

    // kind: '' leaves the composer. shown: what make() depends on. A draft stays where it is.
    #replaceComposer(kind, shown, make) {
        const hadFocus = this.#composer.node.contains(document.activeElement);
        this.#composer.node.hidden = kind !== '' || this.#chat.state.state === 'replaced';
        this.#notice.hidden = kind === '';
        if (this.#notice.dataset.shown !== shown) {
            this.#notice.dataset.shown = shown;
            this.#notice.replaceChildren(...make());
        }
        if (hadFocus && kind !== '')
            (this.#notice.querySelector('button') ?? this.#timeline).focus();
    }

    async #befriend(what, inWords) {
        try {
            await this.#chat.befriend(what, this.#conversation.peer.user_id);
        } catch (problem) {
            say(inWords(problem));
        }
    }

    #openMenu() {
        const c = this.#conversation;
        openMenu(this.#menu, t('room.menu'), [
            c.gone === null && {label: t('search.menu'), icon: 'search', act: () => this.openSearch()},
            c.gone === null && {label: t('overview.menu'), icon: 'image', act: () => this.#openOverview()},
            c.gone === null && {label: t('date.menu'), icon: 'calendar', act: () => this.#timeline.openDate()},
            ...conversationMenu(this.#chat, c, this.#onBack),
            ...c.isGroup ? [] : personMenu(this.#chat, c.peer.user_id),
        ]);
    }

    #openOverview() {
        openOverview(this.#chat, this.#conversation, (message) => this.#timeline.goTo(message));
    }

    #openPanel() {
        openGroupPanel(this.#chat, this.#conversation, (userId) => this.#composer.mention(userId), this.#onBack);
    }
}
