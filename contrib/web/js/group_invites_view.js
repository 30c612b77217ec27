// SPDX-License-Identifier: BSD-2-Clause
// The invite links of a group: making, copying and revoking them.
import {KeyedList, el, textButton} from './dom.js';
import {ask, say} from './dialog.js';
import {field} from './field.js';
import {span, untilTime} from './format.js';
import {reasonOf, t} from './i18n.js';
import {inviteLink} from './invite_dialog.js';

const EXPIRES_SECONDS = [3600, 86400, 7 * 86400, 30 * 86400];
const USES = [1, 5, 10, 50, 100];

export class GroupInvitesView {
    #chat;
    #conversation;
    #request = 0;
    #made = null; // the code of the link that was just made: the focus goes there
    #expires = choice(EXPIRES_SECONDS, span, t('invites.forever'), 7 * 86400);
    #uses = choice(USES, String, t('invites.any'), 0);
    #fault = el('p.fault', {role: 'alert'});
    #status = el('p.hint', {role: 'status'});
    #list = el('ul.list.invites');
    #keyed = new KeyedList(this.#list, ({invite}) => this.#inviteNode(invite));
    node = el('div.group-invites', {}, el('p.hint', {}, t('invites.hint')),
        el('form.row-form', {onsubmit: (event) => this.#create(event)}, field(t('invites.expires'), this.#expires), field(t('invites.uses'), this.#uses),
            el('button.primary', {type: 'submit'}, t('invites.create'))), this.#fault, this.#status, this.#list);

    constructor(chat, c) {
        this.#chat = chat;
        this.#conversation = c;
    }

    async refresh() {
        const request = ++this.#request;
        try {
            const {items} = await this.#chat.groups.invites(this.#conversation);
            if (request !== this.#request)
                return;
            const hadFocus = this.#list.contains(document.activeElement);
            this.#keyed.show(items.map((invite) => ({key: invite.code, version: JSON.stringify(invite), invite})));
            if (hadFocus && !this.#list.contains(document.activeElement))
                (this.#list.querySelector('button') ?? this.#expires).focus();
            this.#focusMade();
            this.#status.textContent = items.length === 0 ? t('invites.none') : '';
        } catch (problem) {
            this.#status.textContent = reasonOf(problem);
        }
    }

    #focusMade() {
        const node = this.#made === null ? null : this.#keyed.nodeOf(this.#made);
        if (node === null)
            return;
        this.#made = null;
        node.querySelector('button').focus();
    }

    #inviteNode({code, expires_at, max_uses, uses}) {
        const used = max_uses === null ? t('invites.usedAny', {uses}) : t('invites.used', {uses, max: max_uses});
        return el('li.person.invite', {'data-code': code},
            el('span.person-text', {}, el('input.invite-link', {type: 'text', readonly: true, value: inviteLink(code), 'aria-label': t('invite.title'),
                onfocus: (event) => event.target.select()}),
            el('small', {}, `${used} · ${expires_at === null ? t('invites.forever') : t('invites.until', {time: untilTime(expires_at)})}`)),
            textButton('primary.small', t('invites.copy'), () => this.#copy(code), {'aria-label': t('invites.copyOf', {code})}),
            textButton('quiet.small', t('invites.revoke'), () => this.#revoke(code), {'aria-label': t('invites.revokeOf', {code})}));
    }

    async #create(event) {
        event.preventDefault();
        this.#fault.textContent = '';
        try {
            const {code} = await this.#chat.actOnGroup(this.#conversation, 'createInvite',
                {expires_in: Number(this.#expires.value) || undefined, max_uses: Number(this.#uses.value) || undefined});
            this.#made = code;
            await this.refresh();
        } catch (problem) {
            this.#fault.textContent = problem.code === 'conflict' ? t('invites.tooMany') : reasonOf(problem);
        }
    }

    async #copy(code) {
        try {
            await navigator.clipboard.writeText(inviteLink(code));
            say(t('invites.copied'));
        } catch {
            this.#keyed.nodeOf(code)?.querySelector('input').select(); // to be copied by hand
        }
    }

    async #revoke(code) {
        if (!await ask(t('invites.revokeAsk'), t('invites.revoke')))
            return;
        try {
            await this.#chat.actOnGroup(this.#conversation, 'revokeInvite', code);
        } catch (problem) {
            if (problem.code !== 'not_found') // used up or expired meanwhile: it is gone as well
                say(reasonOf(problem));
        }
        await this.refresh();
    }
}

// 0 means no limit.
function choice(values, inWords, none, chosen) {
    return el('select', {}, [...values, 0].map((value) => el('option', {value, selected: value === chosen}, value === 0 ? none : inWords(value))));
}
