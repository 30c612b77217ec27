// SPDX-License-Identifier: BSD-2-Clause
// What the bell opens: requests waiting for an answer, and notifications of this and other modules.
import {avatar} from './avatar.js';
import {bdi, el, textButton} from './dom.js';
import {placeBeside, say} from './dialog.js';
import {nameOf, shortTime} from './format.js';
import {hasText, reasonOf, t} from './i18n.js';

// What happened, in words. Kinds that we do not know are shown by name: other modules have their own.
export function noticeText({kind, actor}) {
    const name = actor && nameOf(actor);
    if (actor && hasText(`notices.${kind}`))
        return t(`notices.${kind}`, {name});
    return t(actor ? 'notices.otherBy' : 'notices.other', {name, kind: kind.replaceAll('_', ' ')});
}

export class NoticesView {
    #chat;
    #onRequests;
    #body = el('div.panel-body');
    #markAll = textButton('link', t('notices.markAll'), () => this.#try(this.#chat.notices.readAll()));
    node = el('div.panel', {popover: 'auto', id: 'notices', role: 'dialog', 'aria-label': t('side.notifications')},
        el('header', {}, el('h2', {}, t('side.notifications')), this.#markAll), this.#body);

    // onRequests(): to the list of friend requests
    constructor(chat, onRequests) {
        this.#chat = chat;
        this.#onRequests = onRequests;
    }

    // beside: the bell
    open(beside) {
        this.refresh();
        this.node.showPopover();
        placeBeside(this.node, beside.getBoundingClientRect());
        this.node.querySelector('button, a')?.focus();
    }

    get count() {
        return this.#chat.notices.unread + this.#chat.people.incoming.length;
    }

    refresh() {
        const {notices, people} = this.#chat;
        this.#markAll.hidden = notices.unread === 0;
        const requests = people.incoming.map(({user, note}) => this.#item({actor: user, isNew: true, time: null,
            text: t('people.asks', {name: nameOf(user)}), body: note, act: () => {
                this.node.hidePopover();
                this.#onRequests();
            }}));
        const items = notices.items.map((n) => this.#item({actor: n.actor, isNew: !n.is_read, time: n.created_at,
            text: noticeText(n), body: n.body, act: () => this.#try(notices.read(n))}));
        this.#body.replaceChildren(...requests, ...items,
            ...requests.length + items.length === 0 ? [el('p.empty', {}, t('notices.empty'))] : [],
            ...notices.hasMore ? [textButton('quiet', t('notices.more'), () => this.#try(notices.loadMore()))] : []);
    }

    #item({actor, isNew, time, text, body, act}) {
        return el(isNew ? 'button.notice.unread' : 'button.notice', {type: 'button', onclick: act},
            actor && avatar(actor, this.#chat.people.isTrusted(actor.user_id)),
            el('span.notice-text', {}, el('span', {}, text), body && el('q', {dir: 'auto'}, body),
                time !== null && el('time', {datetime: time}, shortTime(time))),
            isNew && el('span.unread-dot', {role: 'img', 'aria-label': t('notices.unread')}));
    }

    async #try(promise) {
        try {
            await promise;
        } catch (problem) {
            say(reasonOf(problem));
        }
    }
}
