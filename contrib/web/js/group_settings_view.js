// SPDX-License-Identifier: BSD-2-Clause
// A group's profile and settings. Its admins change them; others read them.
import {groupAvatar} from './avatar.js';
import {el, textButton} from './dom.js';
import {say} from './dialog.js';
import {field} from './field.js';
import {groupName, span} from './format.js';
import {mayEdit} from './group_rules.js';
import {reasonOf, t} from './i18n.js';
import {joinLink} from './invite_dialog.js';
import {wishedName} from './names.js';
import {PictureField} from './picture_field.js';

const RULES = {join: ['invite', 'approval', 'open'], history: ['all', 'joined'], send: ['all', 'admins'], add: ['all', 'admins']};
const SLOW_SECONDS = [0, 5, 10, 30, 60, 300, 900, 3600];

export class GroupSettingsView {
    #chat;
    #conversation;
    #shown = null; // the group as the form shows it
    #name = el('input', {type: 'text', name: 'name', maxlength: '64', dir: 'auto', autocomplete: 'off'});
    #picture;
    #about = el('textarea', {name: 'about', rows: '3', maxlength: '1024', dir: 'auto'});
    #rules = Object.fromEntries(Object.entries(RULES).map(([rule, values]) =>
        [rule, el('select', {name: rule}, values.map((value) => el('option', {value}, t(`rules.${rule}.${value}`))))]));
    #slow = el('select', {name: 'slow_mode_seconds'});
    #fault = el('p.fault', {role: 'alert'});
    #save = el('button.primary', {type: 'submit'}, t('settings.save'));
    #address = el('input.invite-link', {type: 'text', readonly: true, onfocus: (event) => event.target.select()});
    #link = el('div.group-link', {hidden: true}, field(t('rules.link'), this.#address),
        textButton('quiet.small', t('invites.copy'), () => this.#copyLink()));
    #fields;
    node;

    constructor(chat, c) {
        this.#chat = chat;
        this.#conversation = c;
        this.#picture = new PictureField(chat, t('group.picture'), (avatar_url) => groupAvatar({name: groupName(c.group), avatar_url}, true));
        this.#fields = el('fieldset.plain', {},
            field(t('group.name'), this.#name), this.#picture.node, field(t('group.about'), this.#about),
            Object.entries(this.#rules).map(([rule, select]) => field(t(`rules.${rule}`), select)), field(t('rules.slow'), this.#slow));
        this.#address.value = joinLink(c.id);
        this.node = el('div', {}, this.#link, el('form.group-settings', {'aria-label': t('panel.settings'), novalidate: true, onsubmit: (event) => this.#submit(event)},
            this.#fields, this.#fault, el('div.buttons', {}, this.#save)));
    }

    // What the user has begun to change stays.
    refresh() {
        const {group} = this.#conversation;
        const editable = mayEdit(group);
        this.#link.hidden = group.settings.join === 'invite' || group.dissolved_at !== null;
        this.#fields.disabled = !editable;
        this.#save.hidden = !editable;
        if (this.#shown === null || !editable || Object.keys(this.#changes() ?? {x: 0}).length === 0)
            this.#show(group);
    }

    #show(group) {
        this.#shown = group;
        const {settings} = group;
        this.#name.value = group.name;
        this.#picture.show(group.avatar_url);
        this.#about.value = group.about ?? '';
        for (const rule of Object.keys(RULES))
            this.#rules[rule].value = settings[rule];
        const values = [...new Set([...SLOW_SECONDS, settings.slow_mode_seconds])].sort((a, b) => a - b);
        this.#slow.replaceChildren(...values.map((seconds) => el('option', {value: seconds, selected: seconds === settings.slow_mode_seconds},
            seconds === 0 ? t('rules.slow.off') : t('rules.slow.each', {span: span(seconds)}))));
    }

    // saved: #changes() as JSON, as they were sent. What was changed since then stays.
    #noteSaved(group, saved) {
        if (JSON.stringify(this.#changes()) === saved) {
            this.#show(group);
            return;
        }
        this.#shown = group;
        if ('avatar_url' in JSON.parse(saved) || !this.#picture.changed)
            this.#picture.show(group.avatar_url);
    }

    // What differs from what was shown, as the body of PUT /groups/{id}; null where the name is missing.
    #changes() {
        const before = this.#shown;
        const {name} = wishedName(this.#name);
        const wished = {name, about: this.#about.value.trim() || null};
        const rules = {...Object.fromEntries(Object.keys(RULES).map((rule) => [rule, this.#rules[rule].value])), slow_mode_seconds: Number(this.#slow.value)};
        const differing = (now, then) => Object.fromEntries(Object.entries(now).filter(([key, value]) => value !== then[key]));
        const settings = differing(rules, before.settings);
        return name === null ? null : {...differing(wished, before), ...this.#picture.changed && {avatar_url: null}, ...Object.keys(settings).length > 0 && {settings}};
    }

    async #copyLink() {
        try {
            await navigator.clipboard.writeText(this.#address.value);
            say(t('invites.copied'));
        } catch {
            this.#address.select(); // to be copied by hand
        }
    }

    async #submit(event) {
        event.preventDefault();
        const {fault} = wishedName(this.#name);
        const changes = this.#changes();
        this.#fault.textContent = changes === null ? t('group.nameMissing') : fault ?? '';
        if (this.#fault.textContent !== '') {
            this.#name.focus();
            return;
        }
        if (Object.keys(changes).length === 0)
            return;
        this.#save.disabled = true;
        const saved = JSON.stringify(changes);
        try {
            if ('avatar_url' in changes)
                changes.avatar_url = await this.#picture.value();
            const {group} = await this.#chat.actOnGroup(this.#conversation, 'updateGroup', changes);
            this.#noteSaved(group, saved);
            say(t('panel.saved'));
        } catch (problem) {
            this.#fault.textContent = reasonOf(problem);
        } finally {
            this.#save.disabled = false;
        }
    }
}
