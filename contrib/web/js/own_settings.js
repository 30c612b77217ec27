// SPDX-License-Identifier: BSD-2-Clause
// What the user sets of conversations for themselves, and drafts, which follow to their other devices.
import {now} from './clock.js';
import {DraftSync, takesTheirs} from './draft_sync.js';

const WRITING_MS = 10000; // after the last key: what is written on another device does not take its place
const MUTE_LOOK_MS = 3600000; // a timer does not run while the machine sleeps

export class OwnSettings {
    #chat;
    #on;
    #muteTimer = null;
    #muteEnd = Infinity; // of the mute that ends next
    #wroteAt = new Map(); // key of a conversation -> when a key was pressed last
    #sync = new DraftSync((c, draft) => this.set(c, {draft}));

    // on.show(conversation): the server has answered it; on.refresh(): the list is to be asked for; on.read(id, seq)
    constructor(chat, on) {
        this.#chat = chat;
        this.#on = on;
    }

    // The server has shown the conversation.
    shown(c) {
        this.#takeDraft(c);
        if (c.isMuted)
            this.#waitForMute(c);
    }

    connected() {
        this.#sync.retry();
    }

    stop() {
        clearTimeout(this.#muteTimer);
        this.#sync.stop();
    }

    // The draft of another device, unless this one is being written on, or one waits to be sent: then what has come is
    // the answer to one before.
    #takeDraft(c) {
        const draft = this.#chat.drafts.of(c.key);
        const [mine, base, theirs] = [draft?.text ?? '', this.#chat.drafts.baseOf(c.key), c.settings.draft ?? ''];
        const isWriting = Date.now() - (this.#wroteAt.get(c.key) ?? 0) < WRITING_MS;
        if (mine === theirs && theirs === base)
            return;
        if (mine === theirs)
            this.#chat.drafts.set(c.key, draft ?? {text: '', replyTo: null, chosen: []}, theirs);
        else if (takesTheirs(mine, base, theirs) && !isWriting && !this.#sync.isWaiting(c)) {
            this.#chat.drafts.set(c.key, {replyTo: null, chosen: [], ...draft, text: theirs}, theirs);
            this.#chat.changes.changed('conversations', 'drafts');
        } else if (mine !== base && c.setting === 0)
            this.#sync.changed(c, mine);
    }

    // The user is no member any more, and the server forgets what they had set. Who comes back finds the draft of here.
    left(c) {
        const draft = this.#chat.drafts.of(c.key);
        if (draft !== null)
            this.#chat.drafts.set(c.key, draft, '');
    }

    // The list shows when a mute ends. What has come meanwhile counts then: it may be in the archive no more.
    #waitForMute(c) {
        const end = Date.parse(c.settings.muted_until);
        if (end >= this.#muteEnd)
            return;
        this.#muteEnd = end;
        clearTimeout(this.#muteTimer);
        this.#muteTimer = setTimeout(() => this.#lookAtMutes(), Math.min(MUTE_LOOK_MS, Math.max(0, end - now()) + 50));
    }

    #lookAtMutes() {
        if (this.#muteEnd <= now()) {
            this.#chat.changes.changed('conversations');
            this.#on.refresh();
        }
        this.#muteEnd = Infinity;
        this.#chat.conversations.all().filter((c) => c.isMuted).forEach((c) => this.#waitForMute(c));
    }

    saveDraft(c, draft) {
        if (draft.text !== (this.#chat.drafts.of(c.key)?.text ?? ''))
            this.#wroteAt.set(c.key, Date.now());
        this.#chat.drafts.set(c.key, draft);
        this.#sync.changed(c, draft.text);
        this.#chat.changes.changed('conversations');
    }

    // The user has left the conversation, or sent what was written.
    leaveDraft(c) {
        this.#wroteAt.delete(c.key);
        this.#sync.flush(c);
    }

    // changes: the body of PUT …/settings. Rejects with a Problem, as clear() does.
    async set(c, changes) {
        c.setting++;
        let shown;
        try {
            shown = await this.#chat.rest.updateSettings(c.id, changes);
        } finally {
            c.setting--;
        }
        this.#on.show(shown);
        this.#chat.changes.changed('conversations');
    }

    // It is shown, which ends the mark, if nothing else.
    opened(c) {
        if (!c.settings.marked_unread || c.readSeq === 0)
            return;
        c.settings = {...c.settings, marked_unread: false};
        this.#on.read(c.id, c.readSeq);
        this.#chat.changes.changed('conversations');
    }

    // All of it, also where nothing but the mark says that it is unread.
    markRead(c) {
        c.settings = {...c.settings, marked_unread: false};
        c.readSeq = Math.max(c.readSeq, c.topSeq);
        this.#chat.conversations.recount(c);
        this.#on.read(c.id, c.topSeq || undefined);
        this.#chat.changes.changed('conversations', 'timeline');
    }

    // For this user alone.
    async clear(c) {
        const seq = c.topSeq;
        await this.#chat.rest.clearConversation(c.id, seq);
        this.#chat.conversations.cleared(c.id, seq);
        this.#chat.changes.changed('conversations', 'timeline');
    }
}
