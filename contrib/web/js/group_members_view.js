// SPDX-License-Identifier: BSD-2-Clause
// The members of a group: a search, the list page after page, what can be done about each, and adding friends.
import {avatar} from './avatar.js';
import {KeyedList, cutOff, el, iconButton, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {nameOf} from './format.js';
import {FriendPicker} from './friend_picker.js';
import {mayAdd} from './group_rules.js';
import {reasonOf, t} from './i18n.js';
import {tellLeftOut} from './left_out.js';
import {openMemberMenu, roleText} from './member_menu.js';

const ADDED_MAX = 100; // of the protocol, at a time
const SEARCH_DELAY_MS = 200;

export class GroupMembersView {
    #chat;
    #conversation;
    #actions;
    #members = [];
    #cursor = null;
    #request = 0; // the newest one; the answers to others come too late
    #timer = null;
    #filter = el('input.filter', {type: 'search', placeholder: t('members.filter'), 'aria-label': t('members.filter'), dir: 'auto', autocomplete: 'off',
        maxlength: '64', oninput: () => this.#searchSoon()});
    #add = textButton('quiet.small.add-members', t('members.add'), () => this.#openAdd());
    #status = el('p.hint', {role: 'status'});
    #list = el('ul.list.members');
    #keyed = new KeyedList(this.#list, ({row}) => this.#rowNode(row));
    #more = textButton('quiet.small', t('members.more'), () => this.#loadMore(), {hidden: true});
    node = el('div.group-members', {}, el('div.search', {}, this.#filter, this.#add), this.#status, this.#list, this.#more);

    // actions: onMention(user_id), onGo()
    constructor(chat, c, actions) {
        this.#chat = chat;
        this.#conversation = c;
        this.#actions = actions;
    }

    close() {
        clearTimeout(this.#timer);
        this.#request++;
    }

    // As many as are shown, anew.
    async refresh() {
        this.#add.hidden = !mayAdd(this.#conversation.group);
        const wanted = this.#members.length;
        await this.#load(async (fetch) => {
            let page = await fetch(null);
            const members = [...page.items];
            while (members.length < wanted && page.next_cursor !== null) {
                page = await fetch(page.next_cursor);
                members.push(...page.items);
            }
            return {members, cursor: page.next_cursor};
        });
    }

    #searchSoon() {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
            this.#members = [];
            this.refresh();
        }, SEARCH_DELAY_MS);
    }

    #loadMore() {
        return this.#load(async (fetch) => {
            const page = await fetch(this.#cursor);
            return {members: [...this.#members, ...page.items], cursor: page.next_cursor};
        });
    }

    async #load(what) {
        const request = ++this.#request;
        const query = this.#filter.value.trim();
        try {
            const {members, cursor} = await what((at) => this.#chat.groups.members(this.#conversation, query, at));
            if (request !== this.#request)
                return;
            this.#members = members;
            this.#cursor = cursor;
            this.#status.textContent = members.length === 0 ? t('members.none') : '';
            this.#show();
        } catch (problem) {
            if (request === this.#request)
                this.#status.textContent = reasonOf(problem);
        }
    }

    #show() {
        const {people} = this.#chat;
        const hadFocus = this.#list.contains(document.activeElement);
        this.#keyed.show(this.#members.map((member) => {
            const row = {user: member.user, role: member.role, text: roleText(member), trusted: people.isTrusted(member.user.user_id)};
            return {key: member.user.user_id, version: JSON.stringify(row), row};
        }));
        this.#more.hidden = this.#cursor === null;
        if (hadFocus && !this.#list.contains(document.activeElement))
            this.#filter.focus();
    }

    #rowNode({user, role, text, trusted}) {
        const name = nameOf(user);
        const mine = user.user_id === this.#chat.me;
        const label = t('people.more', {name});
        const more = iconButton('more', label, () => openMemberMenu(this.#chat, this.#conversation, user.user_id, more,
            this.#actions.onMention, this.#actions.onGo), {class: 'icon-button more', 'aria-haspopup': 'menu'});
        return el('li.person', {'data-user': user.user_id}, avatar(user, trusted),
            el('span.person-text', {}, cutOff('strong.name', mine ? `${name} ${t('members.you')}` : name), el(`small.role-${role}`, {}, text)), !mine && more);
    }

    #openAdd() {
        const c = this.#conversation;
        const {members, complete} = this.#chat.groups.of(c);
        const picker = new FriendPicker(this.#chat, members.keys(), ADDED_MAX, t(complete ? 'members.allAdded' : 'group.noFriends'));
        const fault = el('p.fault', {role: 'alert'});
        const submit = el('button.primary', {type: 'submit'}, t('members.addSubmit'));
        const dialog = openDialog(t('members.addTitle', {name: this.#chat.title(c)}), el('form.add-form', {onsubmit: async (event) => {
            event.preventDefault();
            if (picker.userIds.length === 0) {
                picker.focus();
                return;
            }
            submit.disabled = true;
            try {
                const {left_out} = await this.#chat.actOnGroup(c, 'addMembers', picker.userIds);
                dialog.close();
                tellLeftOut(this.#chat, left_out);
            } catch (problem) {
                fault.textContent = reasonOf(problem);
                submit.disabled = false;
            }
        }}, picker.node, fault,
        el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()), submit)));
        picker.focus();
    }
}
