// SPDX-License-Identifier: BSD-2-Clause
// Finds users, shows one, and does to them what an administrator may.
import {bdi, el, icon, textButton} from '../../web/js/dom.js';
import {confirm} from './confirm.js';
import {moment, nickname} from './format.js';
import {reasonOf, t} from './i18n.js';
import {card, table, tag} from './table.js';

const PAGE = 50;
const SESSIONS_MAX = 100; // of the API; few users have ten

function pathOf(id) {
    return `/admin/users/${encodeURIComponent(id)}`;
}

function addressOf(id) {
    return `#/users/${encodeURIComponent(id)}`;
}

function stateTag({disabled}) {
    return disabled ? tag(t('users.disabled'), 'bad') : tag(t('users.enabled'), 'good');
}

export class UsersView {
    #api;
    #field = el('input', {id: 'query', name: 'query', type: 'search', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', maxlength: '64'});
    #said = el('p.said', {role: 'status'});
    #fault = el('p.fault', {role: 'alert'});
    #result = el('div.cards');
    #turn = 0; // counts what is asked: an answer that comes late is not shown

    constructor(api, id) {
        this.#api = api;
        this.node = el('div.view', {}, el('div.heading', {}, el('h1', {}, t('nav.users'))),
            el('form.find', {role: 'search', onsubmit: (event) => this.#submit(event)},
                el('div.field', {}, el('label', {for: 'query'}, t('users.search')), this.#field),
                el('button.primary', {type: 'submit'}, icon('search'), t('users.find'))),
            this.#said, this.#fault, this.#result);
        if (id !== null) {
            this.#field.value = id;
            this.#showUser(id);
        }
    }

    leave() {
        this.#turn++;
    }

    // Says what went wrong; returns what `work` returns, or undefined.
    async #try(work) {
        const turn = ++this.#turn;
        this.#fault.textContent = this.#said.textContent = '';
        try {
            return await work(() => turn === this.#turn);
        } catch (refused) {
            if (turn === this.#turn)
                this.#fault.textContent = reasonOf(refused);
            return undefined;
        }
    }

    #submit(event) {
        event.preventDefault();
        const query = this.#field.value.trim();
        this.#try((current) => this.#find(query, null, current));
    }

    async #find(query, cursor, current) {
        const asked = new URLSearchParams({limit: PAGE, ...query !== '' && {query}, ...cursor !== null && {cursor}});
        const page = await this.#api.ask('GET', `/admin/users?${asked}`);
        if (current())
            this.#showFound(query, page, cursor !== null);
    }

    #open(id) {
        if (location.hash === addressOf(id))
            this.#showUser(id);
        else
            location.hash = addressOf(id);
    }

    #showFound(query, {items, next_cursor: next}, isMore) {
        // Of an id that is not listed there may be sessions all the same: accounts can be kept elsewhere.
        if (!isMore && query !== '' && items.every(({user_id: id}) => id === query)) {
            this.#open(query);
            return;
        }
        const rows = items.map((user) => [el('a', {href: addressOf(user.user_id)}, user.user_id), nameNode(user), stateTag(user), moment(user.last_seen)]);
        const list = card(t('users.results'), table(t('users.results'), [t('users.id'), t('users.nickname'), t('users.state'), t('users.lastSeen')], rows),
            next !== null && textButton('quiet', t('users.more'), () => this.#try((current) => this.#find(query, next, current))));
        this.#result.replaceChildren(list);
        list.querySelector('a')?.focus();
    }

    async #showUser(id, said = '') {
        await this.#try(async (current) => {
            const [user, sessions] = await Promise.all([
                this.#api.ask('GET', pathOf(id)).catch((refused) => {
                    if (refused.status === 404 && refused.code === 'not_found')
                        return null;
                    throw refused;
                }),
                this.#api.ask('GET', `${pathOf(id)}/sessions?limit=${SESSIONS_MAX}`).catch((refused) => {
                    if (refused.status === 404)
                        return null;
                    throw refused;
                })]);
            if (!current())
                return;
            if (sessions === null) { // no user could have such an id
                this.#result.replaceChildren();
                this.#fault.textContent = t('users.none');
                return;
            }
            this.#result.replaceChildren(this.#userCard(id, user), this.#sessionsCard(id, sessions));
            this.#said.textContent = said;
        });
    }

    #userCard(id, user) {
        const change = (body, said) => this.#act(id, () => this.#api.ask('PUT', pathOf(id), body), said);
        const asking = async (question, yes, body, said) => {
            if (await confirm(t(question, {name: id}), yes))
                change(body, said);
        };
        const heading = el('h2.user-heading', {}, el('bdi.user-id', {}, id), user && [' ', stateTag(user)]);
        return el('section.card.user', {}, heading,
            user === null ? el('p.hint', {}, t('users.unknown', {name: id})) : el('dl.facts', {},
                el('dt', {}, t('users.nickname')), el('dd', {}, nameNode(user)),
                el('dt', {}, t('users.created')), el('dd', {}, moment(user.created_at)),
                el('dt', {}, t('users.lastSeen')), el('dd', {}, user.last_seen === null ? t('users.never') : moment(user.last_seen))),
            el('div.buttons', {},
                user?.disabled ? textButton('primary', t('users.enable'), () => change({disabled: false}, 'users.enabledDone')) :
                    textButton('danger', t('users.disable'), () => asking('users.disableAsk', t('users.disable'), {disabled: true}, 'users.disabledDone')),
                textButton('danger', t('users.revoke'), () => asking('users.revokeAsk', t('users.revoke'), {revoke: true}, 'users.revokedDone'))));
    }

    #sessionsCard(id, {node_id: node, online, items, next_cursor: next}) {
        const rows = items.map(({session_id: session, device, address, since}) => [el('code', {}, session), device ?? t('sessions.noDevice'), address, moment(since),
            textButton('danger.small', t('sessions.kick'), () => this.#kick(id, session), {'aria-label': t('sessions.kickOne', {id: session})})]);
        return el('section.card.sessions', {}, el('h2', {}, t('sessions.heading', {node})),
            items.length === 0 ? el('p.hint', {}, t(online ? 'sessions.elsewhere' : 'sessions.none')) :
                table(t('sessions.heading', {node}), [t('sessions.session'), t('sessions.device'), t('sessions.address'), t('sessions.since'), t('sessions.action')], rows),
            next !== null && el('p.hint', {}, t('sessions.more')),
            el('div.buttons', {}, textButton('quiet', t('sessions.refresh'), () => this.#showUser(id)),
                online && textButton('danger', t('sessions.kickAll'), () => this.#kickAll(id))));
    }

    async #kick(id, session) {
        if (await confirm(t('sessions.kickAsk', {name: id}), t('sessions.kick')))
            this.#act(id, () => this.#api.ask('DELETE', `${pathOf(id)}/sessions/${encodeURIComponent(session)}`), 'sessions.kicked');
    }

    async #kickAll(id) {
        if (await confirm(t('sessions.kickAllAsk', {name: id}), t('sessions.kickAll')))
            this.#act(id, () => this.#api.ask('DELETE', `${pathOf(id)}/sessions`), 'sessions.kickedAll');
    }

    async #act(id, work, said) {
        const done = await this.#try(async (current) => {
            await work();
            return current();
        });
        if (done)
            this.#showUser(id, t(said, {name: id}));
    }
}

function nameNode(user) {
    const name = nickname(user.nickname);
    return name === null ? '–' : bdi(name);
}
