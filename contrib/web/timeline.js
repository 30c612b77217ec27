// SPDX-License-Identifier: BSD-2-Clause
// Shows the messages of one conversation. Holds one element a message and renews only those that changed;
// keeps the place when older ones come in above, and stays at the bottom if it was there.

import {button, clockTime, dayName, element} from './dom.js';

const NEAR_PX = 80;

export class Timeline {
    #list;
    #actions;
    #shown = new Map(); // key -> {version, node}

    // actions: {recall(m), remove(m), retry(p), older(), seen()} as the user wishes; canRecall(m).
    constructor(list, actions) {
        this.#list = list;
        this.#actions = actions;
        list.addEventListener('scroll', () => {
            if (list.scrollTop < NEAR_PX)
                actions.older();
            if (this.atBottom)
                actions.seen();
        }, {passive: true});
        list.addEventListener('click', (e) => {
            const touched = e.target.closest('.message');
            for (const other of list.querySelectorAll('.message.selected'))
                if (other !== touched)
                    other.classList.remove('selected');
            touched?.classList.toggle('selected');
        });
    }

    get atBottom() {
        const l = this.#list;
        return l.scrollHeight - l.scrollTop - l.clientHeight < NEAR_PX;
    }

    clear() {
        this.#list.replaceChildren();
        this.#shown.clear();
    }

    toBottom() {
        this.#list.scrollTop = this.#list.scrollHeight;
    }

    // messages: by seq; pending: not acknowledged yet. me and peerReadSeq decide sides and ticks.
    show(messages, pending, me, peerReadSeq) {
        const list = this.#list;
        const wasAtBottom = this.atBottom;
        const fromEnd = list.scrollHeight - list.scrollTop;
        const firstBefore = list.querySelector('.message')?.dataset.key;
        const rows = this.#rows(messages, pending, me, peerReadSeq);
        const keys = new Set(rows.map((r) => r.key));
        for (const [key, {node}] of this.#shown) {
            if (!keys.has(key)) {
                node.remove();
                this.#shown.delete(key);
            }
        }
        let at = list.firstElementChild;
        for (const row of rows) {
            let shown = this.#shown.get(row.key);
            if (!shown || shown.version !== row.version) {
                const node = row.make();
                node.dataset.key = row.key;
                if (shown) {
                    if (at === shown.node)
                        at = node;
                    node.classList.toggle('selected', shown.node.classList.contains('selected'));
                    shown.node.replaceWith(node);
                }
                shown = {version: row.version, node};
                this.#shown.set(row.key, shown);
            }
            if (shown.node === at)
                at = at.nextElementSibling;
            else
                list.insertBefore(shown.node, at);
        }
        if (wasAtBottom)
            this.toBottom();
        else if (firstBefore !== list.querySelector('.message')?.dataset.key)
            list.scrollTop = list.scrollHeight - fromEnd;
    }

    #rows(messages, pending, me, peerReadSeq) {
        const rows = [];
        let today = '';
        for (const m of messages) {
            const name = dayName(m.created_at);
            if (name !== today)
                rows.push({key: `day ${name}`, version: '', make: () => element('li', 'day', name)});
            today = name;
            const own = m.from_user_id === me;
            const read = own && (m.is_read || m.seq <= peerReadSeq);
            const recall = own && this.#actions.canRecall(m);
            rows.push({key: m.id, version: `${m.is_recalled} ${read} ${recall}`,
                make: () => this.#message(m, own, read, recall)});
        }
        for (const p of pending)
            rows.push({key: `pending ${p.client_msg_id}`, version: p.failed ?? '', make: () => this.#pending(p)});
        return rows;
    }

    #message(m, own, read, recall) {
        const node = element('li', `message ${own ? 'own' : 'other'}`);
        const bubble = element('div', 'bubble');
        node.dataset.seq = m.seq;
        if (m.is_recalled) {
            bubble.classList.add('recalled');
            bubble.append(element('p', 'text', own ? 'You recalled a message' : 'This message was recalled'));
        } else {
            if (m.media_url !== null)
                bubble.append(this.#media(m));
            if (m.content !== null)
                bubble.append(element('p', 'text', m.content));
        }
        const foot = element('span', 'foot', clockTime(m.created_at));
        foot.title = new Date(m.created_at).toLocaleString();
        if (own && !m.is_recalled) {
            const ticks = element('span', read ? 'ticks read' : 'ticks', read ? '✓✓' : '✓');
            ticks.title = read ? 'read' : 'stored';
            foot.append(' ', ticks);
        }
        bubble.append(foot);
        const actions = element('div', 'actions');
        if (recall)
            actions.append(button('quiet recall', 'Recall', () => this.#actions.recall(m)));
        actions.append(button('quiet delete', 'Delete for me', () => this.#actions.remove(m)));
        node.append(bubble, actions);
        return node;
    }

    #media(m) {
        const a = element('a', 'media', `${m.message_type}: ${m.media_url}`);
        if (/^https?:\/\//i.test(m.media_url))
            a.href = m.media_url;
        a.target = '_blank';
        a.rel = 'noopener noreferrer';
        return a;
    }

    #pending(p) {
        const node = element('li', 'message own pending');
        const bubble = element('div', 'bubble');
        bubble.append(element('p', 'text', p.content));
        if (p.failed) {
            node.classList.add('failed');
            bubble.append(element('span', 'foot', p.failed));
            const actions = element('div', 'actions');
            actions.append(button('quiet retry', 'Try again', () => this.#actions.retry(p)));
            node.append(bubble, actions);
        } else {
            bubble.append(element('span', 'foot', '…'));
            node.append(bubble);
        }
        return node;
    }
}
