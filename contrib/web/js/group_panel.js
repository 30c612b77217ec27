// SPDX-License-Identifier: BSD-2-Clause
// All about a group, in a dialog: who is in it, invite links, who wants to come in and who may not, its profile and
// settings, and the ways out of it. It follows what happens while it is open.
import {groupAvatar} from './avatar.js';
import {bdi, el, textButton} from './dom.js';
import {ask, openDialog, say} from './dialog.js';
import {isAdmin, mayAdd} from './group_rules.js';
import {GroupInvitesView} from './group_invites_view.js';
import {GroupMembersView} from './group_members_view.js';
import {GroupRequestsView} from './group_requests_view.js';
import {GroupSettingsView} from './group_settings_view.js';
import {reasonOf, t} from './i18n.js';

// name, the view, and to whom it is shown
const TABS = [
    ['members', GroupMembersView, () => true],
    ['invites', GroupInvitesView, mayAdd],
    ['requests', GroupRequestsView, (group) => isAdmin(group) && group.dissolved_at === null],
    ['settings', GroupSettingsView, () => true],
];

// onMention(user_id): in a message to the group; onLeft(): the user has left it
export function openGroupPanel(chat, c, onMention, onLeft) {
    new GroupPanel(chat, c, onMention, onLeft);
}

class GroupPanel {
    #chat;
    #conversation;
    #tabs = []; // {name, allowed, tab, badge, panel, view}
    #active = null;
    #about = el('div.group-about');
    #exits = el('footer.group-exits');
    #dialog;

    constructor(chat, c, onMention, onLeft) {
        this.#chat = chat;
        this.#conversation = c;
        const close = () => this.#dialog.close();
        for (const [name, View, allowed] of TABS) {
            const badge = el('span.badge', {hidden: true});
            const tab = el('button', {type: 'button', role: 'tab', id: `group-tab-${name}`, 'aria-controls': `group-panel-${name}`, 'data-tab': name,
                onclick: () => this.#show(name)}, t(`panel.${name}`), badge);
            const view = new View(chat, c, {onMention: (userId) => {
                close();
                onMention(userId);
            }, onGo: close});
            const panel = el('div.group-tab', {role: 'tabpanel', id: `group-panel-${name}`, 'aria-labelledby': `group-tab-${name}`, hidden: true}, view.node);
            this.#tabs.push({name, allowed, tab, badge, panel, view});
        }
        this.#exits.append(
            textButton('quiet.leave', t('panel.leave'), () => this.#leave(onLeft)),
            textButton('danger.dissolve', t('panel.dissolve'), () => this.#dissolve()));
        this.#dialog = openDialog(t('group.info'), this.#about,
            el('div.tabs.group-tabs', {role: 'tablist', 'aria-label': t('group.info'), onkeydown: (event) => this.#key(event)}, this.#tabs.map(({tab}) => tab)),
            this.#tabs.map(({panel}) => panel), this.#exits);
        this.#dialog.classList.add('group-dialog');
        const stop = chat.changes.listen((topics) => this.#refresh(topics));
        this.#dialog.addEventListener('close', () => {
            stop();
            this.#tabs.forEach(({view}) => view.close?.());
        });
        this.#refresh(new Set(['groups']));
        this.#show(chat.groups.of(c).waiting > 0 && isAdmin(c.group) ? 'requests' : 'members');
        this.#tabs.find(({name}) => name === this.#active).tab.focus();
        chat.groups.load(c);
    }

    #show(name) {
        this.#active = name;
        for (const {name: other, tab, panel, view} of this.#tabs) {
            tab.setAttribute('aria-selected', String(other === name));
            tab.tabIndex = other === name ? 0 : -1;
            panel.hidden = other !== name;
            if (other === name)
                view.refresh();
        }
    }

    #key({key}) {
        const step = {ArrowLeft: -1, ArrowRight: 1}[key];
        if (step === undefined)
            return;
        const shown = this.#tabs.filter(({tab}) => !tab.hidden);
        const at = shown.findIndex(({name}) => name === this.#active);
        const {name, tab} = shown.at((at + step) % shown.length);
        this.#show(name);
        tab.focus();
    }

    #refresh(topics) {
        const c = this.#conversation;
        if (!['groups', 'conversations', 'people', 'state'].some((topic) => topics.has(topic)))
            return;
        if (c.gone !== null) {
            this.#dialog.close();
            return;
        }
        this.#showAbout(c);
        const {waiting} = this.#chat.groups.of(c);
        for (const {name, allowed, tab, badge} of this.#tabs) {
            tab.hidden = !allowed(c.group);
            badge.hidden = name !== 'requests' || waiting === 0;
            badge.textContent = waiting;
            tab.setAttribute('aria-label', badge.hidden ? t(`panel.${name}`) : `${t(`panel.${name}`)}, ${t('panel.waiting', {count: waiting})}`);
        }
        const active = this.#tabs.find(({name}) => name === this.#active);
        if (active?.tab.hidden)
            this.#show('members');
        else if (active && topics.has('groups'))
            active.view.refresh();
        this.#exits.querySelector('.dissolve').hidden = c.group.role !== 'owner' || c.group.dissolved_at !== null;
    }

    #showAbout(c) {
        const {group} = c;
        const name = this.#chat.title(c);
        const shown = JSON.stringify([name, group.avatar_url, group.about, group.member_count, group.dissolved_at]);
        if (this.#about.dataset.shown === shown)
            return;
        this.#about.dataset.shown = shown;
        this.#about.replaceChildren(groupAvatar({name, avatar_url: group.avatar_url}, true),
            el('div', {}, el('strong.name', {}, bdi(name)), el('small', {}, t('group.members', {count: group.member_count}))),
            ...group.dissolved_at === null ? [] : [el('p.hint', {}, t('silence.dissolved'))],
            ...group.about ? [el('p.about-text', {dir: 'auto'}, group.about)] : []);
    }

    async #leave(onLeft) {
        const c = this.#conversation;
        const {group} = c;
        const name = this.#chat.title(c);
        const alone = group.member_count === 1;
        const owner = group.role === 'owner' && group.dissolved_at === null;
        if (owner && !alone) {
            say(t('panel.leaveOwner'));
            this.#show('members');
            return;
        }
        if (!await ask(t(owner && alone ? 'panel.leaveAlone' : 'panel.leaveAsk', {name}), t('panel.leave')))
            return;
        await this.#try(async () => {
            await this.#chat.leaveGroup(c);
            this.#dialog.close();
            onLeft();
        });
    }

    async #dissolve() {
        const c = this.#conversation;
        if (!await ask(t('panel.dissolveAsk', {name: this.#chat.title(c)}), t('panel.dissolve')))
            return;
        await this.#try(async () => {
            await this.#chat.actOnGroup(c, 'dissolveGroup');
            this.#chat.noteDissolved(c);
            this.#dialog.close();
        });
    }

    async #try(what) {
        try {
            await what();
        } catch (problem) {
            say(problem.code === 'conflict' ? t('panel.leaveOwner') : reasonOf(problem));
        }
    }
}
