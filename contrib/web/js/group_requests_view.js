// SPDX-License-Identifier: BSD-2-Clause
// For a group's admins: who waits to be let in, and who is banned.
import {avatar} from './avatar.js';
import {KeyedList, cutOff, el, textButton} from './dom.js';
import {say} from './dialog.js';
import {nameOf, shortTime} from './format.js';
import {reasonOf, t} from './i18n.js';

export class GroupRequestsView {
    #chat;
    #conversation;
    #waiting;
    #banned;
    node = el('div.group-requests');

    constructor(chat, c) {
        this.#chat = chat;
        this.#conversation = c;
        this.#waiting = this.#section('requests', (cursor) => chat.groups.requests(c, cursor), (entry) => this.#requestNode(entry));
        this.#banned = this.#section('bans', (cursor) => chat.groups.bans(c, cursor), (entry) => this.#banNode(entry));
        this.node.append(this.#waiting.node, this.#banned.node);
    }

    // A list that is fetched page after page: {node, refresh()}.
    #section(name, fetch, make) {
        const heading = el('h3', {tabindex: '-1'}, t(`${name}.title`));
        const status = el('p.hint', {role: 'status'});
        const list = el('ul.list');
        const keyed = new KeyedList(list, ({entry}) => make(entry));
        const more = textButton('quiet.small', t('members.more'), () => load(cursor), {hidden: true});
        let entries = [], cursor = null, request = 0;
        const load = async (at) => {
            const mine = ++request;
            try {
                const page = await fetch(at);
                if (mine !== request)
                    return;
                page.items.forEach(({user}) => this.#chat.people.met(user));
                entries = at === null ? page.items : [...entries, ...page.items];
                cursor = page.next_cursor;
                const hadFocus = list.contains(document.activeElement);
                keyed.show(entries.map((entry) => ({key: entry.user.user_id, version: JSON.stringify(entry), entry})));
                if (hadFocus && !list.contains(document.activeElement))
                    (list.querySelector('button') ?? heading).focus();
                status.textContent = entries.length === 0 ? t(`${name}.none`) : '';
                more.hidden = cursor === null;
            } catch (problem) {
                status.textContent = reasonOf(problem);
            }
        };
        return {node: el('section', {'data-section': name}, heading, status, list, more), refresh: () => load(null)};
    }

    refresh() {
        this.#waiting.refresh();
        this.#banned.refresh();
    }

    #person({user, created_at}) {
        return [avatar(user, this.#chat.people.isTrusted(user.user_id)), el('span.person-text', {}, cutOff('strong.name', nameOf(user)),
            el('small', {}, user.user_id), created_at && el('time', {datetime: created_at}, shortTime(created_at)))];
    }

    #button(spec, what, name, user) {
        return textButton(`${spec}.small`, t(what), (event) => this.#act(event, name, user.user_id), {'aria-label': t(`${what}Of`, {name: nameOf(user)})});
    }

    #requestNode(entry) {
        return el('li.person', {'data-user': entry.user.user_id}, this.#person(entry), this.#button('primary', 'requests.accept', 'acceptMember', entry.user),
            this.#button('quiet', 'requests.decline', 'declineMember', entry.user));
    }

    #banNode(entry) {
        return el('li.person', {'data-user': entry.user.user_id}, this.#person(entry), this.#button('quiet', 'bans.lift', 'liftBan', entry.user));
    }

    async #act({currentTarget: button}, name, userId) {
        button.disabled = true;
        try {
            await this.#chat.actOnGroup(this.#conversation, name, userId);
        } catch (problem) {
            say(reasonOf(problem));
            button.disabled = false;
        }
    }
}
