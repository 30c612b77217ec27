// SPDX-License-Identifier: BSD-2-Clause
// Finding people, requests, and friends.
import {avatar} from './avatar.js';
import {KeyedList, cutOff, el, iconButton, textButton} from './dom.js';
import {openMenu, say} from './dialog.js';
import {Directory} from './directory.js';
import {DirectoryView} from './directory_view.js';
import {nameOf, shortTime} from './format.js';
import {reasonOf, t} from './i18n.js';
import {personMenu, requestFault} from './person_menu.js';
import {Portion} from './portion.js';
import {chatAddress} from './room_key.js';

export class PeopleView {
    #chat;
    #found = el('div.found', {role: 'status'});
    #foundUser = null; // {user, how}: whom it shows, and as what
    #wasOnline = false;
    #wanted = el('input.filter', {type: 'search', placeholder: t('directory.label'), 'aria-label': t('directory.label'),
        autocapitalize: 'none', autocomplete: 'off', spellcheck: 'false', maxlength: '64',
        oninput: () => this.#typed()});
    #directory;
    #directoryView;
    #empty = el('p.empty', {}, t('people.noFriends'));
    #sections = new Map(); // name -> {node, list}
    #portion = new Portion(() => this.refresh());
    node;

    constructor(chat) {
        this.#chat = chat;
        this.#directory = new Directory((text, page) => chat.rest.findUsers(text, page), () => this.#showDirectory());
        this.#directoryView = new DirectoryView(this.#directory, {picture: (user) => this.#picture(user), how: (user) => this.#howKnown(user),
            choose: (user) => this.#choose(user)});
        const search = el('form.search', {role: 'search', onsubmit: (event) => this.#find(event)}, this.#wanted,
            el('button.quiet', {type: 'submit'}, t('people.search')));
        this.node = el('div.people', {}, search, this.#found, this.#directoryView.node,
            this.#section('requests', ({row}) => this.#requestNode(row)),
            this.#section('friends', ({row}) => this.#friendNode(row)), this.#empty,
            this.#section('outgoing', ({row}) => this.#outgoingNode(row)));
    }

    #section(name, make) {
        const list = el('ul.list');
        const node = el('section', {'data-section': name, hidden: true}, el('h3', {}, t(`people.${name}`)), list);
        this.#sections.set(name, {node, keyed: new KeyedList(list, make)});
        return node;
    }

    #showSection(name, rows) {
        const {node, keyed} = this.#sections.get(name);
        keyed.show(rows.map((row) => ({key: row.user.user_id, version: JSON.stringify(row), row})));
        node.hidden = rows.length === 0;
    }

    // The lists scroll in that node.
    follow(scroller) {
        this.#portion.follow(scroller);
    }

    // Also when the connection comes or goes.
    refresh() {
        const {people, state} = this.#chat;
        this.#forgetFaults(state.state === 'online');
        this.#portion.begin();
        const friends = this.#portion.of(people.sortedFriends()).map(({user, blocked}) => ({user, online: people.isOnline(user.user_id),
            state: this.#stateOf(user.user_id, blocked)}));
        this.#showSection('requests', this.#portion.of(people.incoming));
        this.#showSection('friends', friends);
        this.#showSection('outgoing', this.#portion.of(people.outgoing));
        if (this.#foundUser !== null && this.#foundUser.how !== this.#howKnown(this.#foundUser.user))
            this.#showFound(this.#foundUser.user);
        this.#directoryView.refresh();
        this.#empty.hidden = friends.length > 0 || !people.loaded;
    }

    // What failed while there was no connection says nothing once it is back.
    #forgetFaults(online) {
        if (online && !this.#wasOnline)
            this.#found.querySelectorAll('.fault').forEach((fault) => fault.replaceChildren());
        this.#wasOnline = online;
    }

    #picture(user, online = null) {
        return avatar(user, this.#chat.people.isTrusted(user.user_id), online);
    }

    focus() {
        this.#wanted.focus();
    }

    // Only one answer to a request: the buttons rest until the list is new.
    async #act(event, name, userId) {
        const button = event.currentTarget;
        button.disabled = true;
        try {
            await this.#chat.befriend(name, userId);
        } catch (problem) {
            say(reasonOf(problem));
            button.disabled = false;
        }
    }

    #requestNode({user, note}) {
        return el('li.person', {'data-user': user.user_id}, this.#picture(user),
            el('span.person-text', {}, cutOff('strong.name', nameOf(user)), el('small', {}, user.user_id),
                note && el('q.person-note', {dir: 'auto'}, note)),
            this.#answerButtons(user, this.#moreButton(user)));
    }

    #answerButtons(user, more = null) {
        const name = nameOf(user);
        return el('span.person-buttons', {},
            textButton('primary.small', t('people.accept'), (event) => this.#act(event, 'acceptFriend', user.user_id),
                {'aria-label': t('people.acceptOf', {name})}),
            textButton('quiet.small', t('people.decline'), (event) => this.#act(event, 'declineFriend', user.user_id),
                {'aria-label': t('people.declineOf', {name})}), more);
    }

    #moreButton(user) {
        const label = t('people.more', {name: nameOf(user)});
        const button = iconButton('more', label, () => openMenu(button, label, personMenu(this.#chat, user.user_id)),
            {class: 'icon-button more', 'aria-haspopup': 'menu'});
        return button;
    }

    #outgoingNode({user}) {
        return el('li.person', {'data-user': user.user_id}, this.#picture(user),
            el('span.person-text', {}, cutOff('strong.name', nameOf(user)), el('small', {}, t('people.waiting'))));
    }

    #stateOf(userId, blocked) {
        const {people} = this.#chat;
        const online = people.isOnline(userId);
        if (blocked || online)
            return t(blocked ? 'people.blocked' : 'people.online');
        const seen = people.lastSeen(userId);
        return seen ? t('people.lastSeen', {time: shortTime(seen)}) : online === false ? t('people.offline') : '';
    }

    #friendNode({user, online, state}) {
        const name = nameOf(user);
        return el('li.person', {'data-user': user.user_id},
            el('a.person-link', {href: chatAddress(user.user_id), 'aria-label': [t('people.messageTo', {name}), state].filter(Boolean).join(', ')},
                this.#picture(user, online), el('span.person-text', {}, cutOff('strong.name', name), el('small', {}, state))),
            this.#moreButton(user));
    }

    // ---- finding ----

    #typed() {
        if (this.#wanted.value === '')
            this.#clearFound();
        this.#directory.type(this.#wanted.value);
    }

    // Without a directory people are found by their exact user name alone.
    #showDirectory() {
        const label = t(this.#directory.isAvailable ? 'directory.label' : 'people.findLabel');
        this.#wanted.placeholder = label;
        this.#wanted.setAttribute('aria-label', label);
        this.#directoryView.refresh();
    }

    #choose(user) {
        this.#showFound(user);
        this.#found.scrollIntoView({block: 'nearest'});
        (this.#found.querySelector('input, a, .primary') ?? this.#found.querySelector('button'))?.focus();
    }

    async #find(event) {
        event.preventDefault();
        const userId = this.#wanted.value.trim();
        this.#clearFound();
        if (userId === '')
            return;
        try {
            this.#showFound(await this.#chat.rest.user(userId));
        } catch (problem) {
            const none = problem.code === 'not_found' || problem.code === 'invalid_argument';
            this.#found.replaceChildren(el('p.fault', {}, none ? t('people.none', {name: userId}) : reasonOf(problem)));
        }
    }

    // What the user is to whom they found; the card changes when this does.
    #howKnown({user_id}) {
        const {people, me} = this.#chat;
        if (user_id === me)
            return 'self';
        if (people.hasBlocked(user_id))
            return 'blocked';
        if (people.isFriend(user_id))
            return 'friend';
        if (people.hasAsked(user_id))
            return 'asks';
        return people.isAsked(user_id) ? 'asked' : 'stranger';
    }

    #showFound(user) {
        this.#foundUser = {user, how: this.#howKnown(user)};
        const node = this.#foundNode(this.#foundUser);
        const hadFocus = this.#found.contains(document.activeElement);
        this.#found.replaceChildren(node);
        if (hadFocus)
            node.querySelector('a, button')?.focus();
    }

    #clearFound() {
        this.#foundUser = null;
        this.#found.replaceChildren();
    }

    #foundNode({user, how}) {
        if (how === 'stranger')
            return this.#requestForm(user);
        const note = this.#chat.people.incoming.find((r) => r.user.user_id === user.user_id)?.note;
        const what = {
            self: () => el('small', {}, t('people.self')),
            blocked: () => [el('small', {}, t('people.blocked')), this.#moreButton(user)],
            friend: () => [el('a.button.primary.small', {href: chatAddress(user.user_id)}, t('people.message')), this.#moreButton(user)],
            asked: () => [el('small', {}, t('people.waiting')), this.#moreButton(user)],
            asks: () => [this.#moreButton(user), note && el('q.person-note', {dir: 'auto'}, note), this.#answerButtons(user)],
        }[how]();
        return el('div.card', {}, this.#picture(user), this.#nameAndId(user), what);
    }

    #nameAndId(user) {
        return el('span.person-text', {}, cutOff('strong.name', nameOf(user)), el('small', {}, user.user_id));
    }

    #requestForm(user) {
        const note = el('input', {type: 'text', maxlength: '255', dir: 'auto', placeholder: t('people.note'), 'aria-label': t('people.note')});
        const fault = el('p.fault', {role: 'alert'});
        return el('form.card.request', {onsubmit: async (event) => {
            event.preventDefault();
            fault.textContent = '';
            try {
                await this.#chat.befriend('requestFriend', user.user_id, note.value.trim() || undefined);
                this.#wanted.value = '';
                this.#directory.type('');
                this.#clearFound();
                say(t('people.sent'));
            } catch (problem) {
                fault.textContent = requestFault(problem, nameOf(user));
            }
        }}, this.#picture(user), this.#nameAndId(user), this.#moreButton(user), note,
        el('button.primary', {type: 'submit'}, t('people.send')), fault);
    }
}
