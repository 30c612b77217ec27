// SPDX-License-Identifier: BSD-2-Clause
// The page of a user who is logged in: the lists at the side, the open conversation, and what is said over both. The
// address says which conversation is open (room_key.js), so that "back" works on a phone.
import {alertUser, isLookedAt, showUnreadInTitle, showUnreadOnIcon} from './alerts.js';
import {avatar} from './avatar.js';
import {Banner} from './banner.js';
import {ChatListView} from './chat_list_view.js';
import {onNewDay} from './clock.js';
import {cutOff, el, icon, iconButton} from './dom.js';
import {say} from './dialog.js';
import {nameOf} from './format.js';
import {reasonOf, t} from './i18n.js';
import {isShortcut, shortcutAria, shortcutName} from './keys.js';
import {isolated, withoutBidi} from './text.js';
import {OfferBar} from './offer_bar.js';
import {NoticesView, noticeText} from './notices_view.js';
import {PeopleView} from './people_view.js';
import {RoomView} from './room_view.js';
import {chatAddress, groupIdOf, keyInAddress} from './room_key.js';
import {openSettings, turnOnPush} from './settings.js';
import {playSound} from './sound.js';
import {openSwitcher} from './switcher.js';
import {isSystem} from './system_text.js';

const FRIEND_NEWS = {friend_request: 'people.asks', friend_accepted: 'people.nowFriends', friend_declined: 'people.declinedBy'};

export class AppView {
    #chat;
    #chatList;
    #people;
    #notices;
    #room;
    #banner;
    #offers = new OfferBar();
    #hasOffered = false; // notifications while the page is closed
    #wanted = null; // key of the conversation to open
    #target = null; // {key, item}: the message to go to when that conversation is open
    #toList = false; // the focus goes to the list when the room has been left
    #mine = el('button.mine', {type: 'button', title: t('side.settings'), 'aria-haspopup': 'dialog'});
    #bell = iconButton('bell', t('side.notifications'), () => this.#notices.open(this.#bell), {'aria-haspopup': 'dialog'});
    #switch = iconButton('search', t('switch.button', {keys: shortcutName('k')}), () => this.#openSwitcher(), {'aria-haspopup': 'dialog', 'aria-keyshortcuts': shortcutAria('k')});
    #switcher = null; // its dialog, while it is open
    #bellCount = el('span.badge', {hidden: true});
    #tabs = {};
    #nothing = el('div.nothing', {}, el('span.logo', {}, icon('logo')), el('p', {}, t('app.noRoom')));
    #heard = el('p.unseen', {'aria-live': 'polite'}); // read out by a screen reader
    #heardMessage = null;
    #onAddress = () => this.#followAddress();
    #onKey = (event) => this.#key(event);
    #endDays = onNewDay(() => this.#chat.changes.changed('state', 'conversations', 'timeline', 'people', 'groups', 'notices'));
    node;

    // logOut() when the user wishes to
    constructor(chat, logOut) {
        this.#chat = chat;
        this.#chatList = new ChatListView(chat, {away: (c) => this.#leave(c), message: (item) => this.#goToMessage(item)});
        this.#people = new PeopleView(chat);
        this.#notices = new NoticesView(chat, () => this.#showTab('friends'));
        this.#room = new RoomView(chat, () => this.#leaveRoom());
        this.#banner = new Banner(() => chat.useHere());
        this.#bell.append(this.#bellCount);
        chat.isShown = (c) => this.#room.conversation === c;
        chat.onSent = () => this.#offerPush();
        this.#mine.addEventListener('click', () => openSettings(chat, logOut));
        this.node = el('div.app', {},
            el('a.skip', {href: '#compose', onclick: (event) => this.#skip(event)}, t('app.skip')),
            this.#banner.node, this.#offers.node, this.#side(), el('main.main', {}, this.#nothing, this.#room.node),
            this.#notices.node, this.#heard, el('div.notes', {id: 'notes', role: 'status', popover: 'manual'}));
        chat.changes.listen((topics) => this.#refresh(topics));
        addEventListener('hashchange', this.#onAddress);
        addEventListener('keydown', this.#onKey);
        this.#showTab('chats');
        this.#refresh(new Set(['state', 'conversations', 'people', 'notices']));
        this.#followAddress();
    }

    remove() {
        removeEventListener('hashchange', this.#onAddress);
        removeEventListener('keydown', this.#onKey);
        this.#switcher?.close();
        this.#endDays();
        this.#room.close();
        showUnreadInTitle(0);
        showUnreadOnIcon(0);
        this.node.remove();
    }

    // ---- what is offered ----

    // Once the user has written something, for then they will want to know of answers. A refusal holds.
    async #offerPush() {
        const {push} = this.#chat;
        if (this.#hasOffered || push.choice !== null)
            return;
        this.#hasOffered = true;
        if (!await push.isOffered() || this.#offers.isShown)
            return;
        this.#offers.show(t('push.offer'), [
            {text: t('push.yes'), spec: 'primary', act: () => turnOnPush(push)},
            {text: t('push.no'), spec: 'quiet', act: () => push.decline()}]);
    }

    offerNewVersion() {
        this.#offers.show(t('version.new'), [{text: t('version.reload'), spec: 'primary', act: () => location.reload()}]);
    }

    #side() {
        const tab = (name, symbol) => {
            const count = el('span.badge', {hidden: true});
            const node = el('button', {type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `panel-${name}`,
                onclick: () => this.#showTab(name)}, icon(symbol), t(`side.${name}`), count);
            node.addEventListener('keydown', (event) => {
                if (event.key === 'ArrowLeft' || event.key === 'ArrowRight')
                    this.#showTab(name === 'chats' ? 'friends' : 'chats').focus();
            });
            this.#tabs[name] = {node, count};
            return node;
        };
        const tabs = [tab('chats', 'chat'), tab('friends', 'people')];
        const panel = (name, view) => {
            const node = el('div.side-panel', {role: 'tabpanel', id: `panel-${name}`, 'aria-labelledby': `tab-${name}`}, view.node);
            this.#tabs[name].panel = node;
            view.follow(node);
            return node;
        };
        return el('nav.side', {'aria-label': t('side.label')},
            el('header.side-header', {}, this.#mine, this.#bell, this.#switch),
            el('div.tabs', {role: 'tablist'}, tabs),
            panel('chats', this.#chatList), panel('friends', this.#people));
    }

    // Returns the tab.
    #showTab(name) {
        for (const [other, {node, panel}] of Object.entries(this.#tabs)) {
            node.setAttribute('aria-selected', String(other === name));
            node.tabIndex = other === name ? 0 : -1;
            panel.hidden = other !== name;
        }
        return this.#tabs[name].node;
    }

    // ---- which conversation ----

    // The conversation is not to be shown any longer.
    #leave(c) {
        if (this.#wanted === c.key)
            this.#leaveRoom();
    }

    #leaveRoom() {
        this.#toList = true;
        location.hash = '#/';
    }

    // Not over another dialog, which may hold what was typed.
    #key(event) {
        const hasDialog = document.querySelector('dialog[open]') !== null;
        if (isShortcut(event, 'f') && !hasDialog && this.#room.openSearch())
            event.preventDefault();
        if (!isShortcut(event, 'k'))
            return;
        event.preventDefault();
        if (this.#switcher !== null)
            this.#switcher.close();
        else if (!hasDialog)
            this.#openSwitcher();
    }

    #openSwitcher() {
        this.#switcher = openSwitcher(this.#chat, this.#wanted, (key) => this.#go(key));
        this.#switcher.addEventListener('close', () => {
            this.#switcher = null;
        });
    }

    // item: of GET /messages/search
    async #goToMessage(item) {
        try {
            const {key} = this.#chat.conversations.get(item.conversation_id) ?? await this.#chat.conversationById(item.conversation_id);
            if (this.#room.conversation?.key === key) {
                this.#room.goTo(item);
                return;
            }
            this.#target = {key, item};
            location.hash = chatAddress(key);
        } catch (problem) {
            say(reasonOf(problem));
        }
    }

    #go(key) {
        if (this.#wanted === key)
            this.#room.focus();
        location.hash = chatAddress(key);
    }

    #followAddress() {
        this.#wanted = keyInAddress(location.hash);
        this.#openWanted();
    }

    async #openWanted() {
        const key = this.#wanted;
        const {conversations, synced} = this.#chat;
        this.node.classList.toggle('in-room', key !== null);
        this.#chatList.setCurrent(key);
        if (key === null) {
            this.#room.close();
            this.#nothing.hidden = false;
            if (this.#toList)
                this.#chatList.focus();
            this.#toList = false;
            return;
        }
        if (this.#room.conversation?.key === key || !(synced || conversations.withKey(key)))
            return; // if it is not known yet, after catching up
        try {
            const conversation = await this.#chat.conversationOf(key);
            if (this.#wanted !== key)
                return;
            this.#nothing.hidden = true;
            this.#room.open(conversation);
            this.#goToTarget(key);
        } catch (problem) {
            say(problem.code === 'not_found' && groupIdOf(key) !== null ? t('group.gone') : reasonOf(problem));
            if (this.#wanted === key)
                location.hash = '#/';
        }
    }

    #goToTarget(key) {
        const target = this.#target;
        this.#target = null;
        if (target?.key === key)
            this.#room.goTo(target.item);
    }

    #skip(event) {
        event.preventDefault();
        document.getElementById('compose').focus();
    }

    // ---- showing what has changed ----

    #refresh(topics) {
        const {conversations, people, state} = this.#chat;
        if (topics.has('state'))
            this.#showState(state);
        if (topics.has('conversations') || topics.has('people') || topics.has('groups') || topics.has('state')) {
            this.#chatList.refresh();
            this.#room.refresh();
            showUnreadInTitle(conversations.unread);
            showUnreadOnIcon(conversations.unread);
            count(this.#tabs.chats.count, conversations.unread);
        }
        if (topics.has('people') || topics.has('state')) {
            this.#people.refresh();
            count(this.#tabs.friends.count, people.incoming.length);
        }
        if (topics.has('people') || topics.has('notices')) {
            this.#notices.refresh();
            count(this.#bellCount, this.#notices.count);
        }
        if (topics.has('timeline') || topics.has('people') || topics.has('groups'))
            this.#room.refreshTimeline();
        if (topics.has('drafts'))
            this.#room.refreshDraft();
        this.#forgetRecalled();
    }

    #forgetRecalled() {
        const {conversation_id, id} = this.#heardMessage ?? {};
        if (this.#chat.conversations.get(conversation_id)?.byId(id)?.is_recalled)
            this.#heard.textContent = '';
    }

    #showState(state) {
        const online = state.state === 'online';
        this.#banner.show(state, this.#chat.kickedReason);
        const {profile} = this.#chat;
        this.#mine.replaceChildren(avatar(profile, true, online), el('span.mine-text', {}, cutOff('strong.name', nameOf(profile)),
            el('small', {}, t(online ? 'state.online' : 'state.offline'))), icon('settings'), el('span.unseen', {}, t('side.settings')));
        if (this.#wanted !== null && this.#room.conversation === null)
            this.#openWanted();
    }

    // ---- news ----

    tell({kind, message, quiet, notification, conversation, reason}) {
        if (kind === 'message')
            this.#tellMessage(message, quiet);
        else if (kind === 'added')
            this.#tellAdded(conversation);
        else if (kind === 'left')
            this.#tellLeft(conversation, reason);
        else
            this.#tellNotification(notification);
    }

    // quiet: of a conversation that is muted.
    #tellMessage(message, quiet) {
        const c = this.#chat.conversations.get(message.conversation_id);
        const name = this.#chat.people.name(message.from_user_id);
        const text = this.#chat.shortText(message);
        const shown = this.#room.conversation?.id === message.conversation_id;
        if (quiet && !shown)
            return;
        this.#heard.textContent = isSystem(message) ? text : `${isolated(name)}: ${isolated(text)}`;
        this.#heardMessage = message;
        if (isSystem(message) || quiet || (shown && isLookedAt()))
            return;
        playSound();
        alertUser(c.isGroup ? `${isolated(name)} · ${isolated(this.#chat.title(c))}` : name, text, message.conversation_id, () => {
            location.hash = chatAddress(c.key);
        });
    }

    #tellAdded(c) {
        const text = t('group.addedTo', {name: this.#chat.title(c)});
        if (this.#room.conversation === c)
            return;
        if (isLookedAt())
            say(text);
        else
            alertUser(text, '', c.id, () => {
                location.hash = chatAddress(c.key);
            });
    }

    // Where the group is open, the room says so.
    #tellLeft(c, reason) {
        const name = this.#chat.title(c);
        if (this.#room.conversation !== c && reason !== 'left')
            say(t(reason === 'dissolved' ? 'group.dissolvedNews' : 'group.removedFrom', {name}));
    }

    #tellNotification(notification) {
        const {kind, actor, body} = notification;
        if (kind.startsWith('friend_') && !FRIEND_NEWS[kind])
            return;
        const text = FRIEND_NEWS[kind] ? t(FRIEND_NEWS[kind], {name: nameOf(actor)}) : noticeText(notification);
        if (isLookedAt())
            say(text);
        else
            alertUser(text, withoutBidi(body ?? ''), `notification ${notification.id ?? kind}`, () => this.#notices.open(this.#bell));
    }
}

function count(badge, number) {
    badge.hidden = number === 0;
    badge.textContent = number > 99 ? '99+' : String(number);
}
