// SPDX-License-Identifier: BSD-2-Clause
// Notifications that the server keeps. Those of friendship changes are not kept: they have no id, and the lists of
// friends and requests show what they tell.

export class Notices {
    #rest;
    #onChange;
    #cursor = null;
    items = [];
    unread = 0;

    constructor(rest, onChange) {
        this.#rest = rest;
        this.#onChange = onChange;
    }

    get hasMore() {
        return this.#cursor !== null;
    }

    async load() {
        const [page, unread] = await Promise.all([this.#rest.notifications(), this.#rest.unreadNotifications()]);
        this.items = page.items;
        this.#cursor = page.next_cursor;
        this.unread = unread;
        this.#onChange();
    }

    async loadMore() {
        const page = await this.#rest.notifications({cursor: this.#cursor});
        const known = new Set(this.items.map((n) => n.id));
        this.items.push(...page.items.filter((n) => !known.has(n.id)));
        this.#cursor = page.next_cursor;
        this.#onChange();
    }

    heard(notification) {
        if (this.items.some((n) => n.id === notification.id))
            return;
        this.items.unshift(notification);
        this.unread++;
        this.#onChange();
    }

    async read(notification) {
        if (notification.is_read)
            return;
        notification.is_read = true;
        this.unread = Math.max(0, this.unread - 1);
        this.#onChange();
        await this.#rest.readNotification(notification.id);
    }

    readAll() {
        return Promise.all(this.items.map((n) => this.read(n)));
    }
}
