// SPDX-License-Identifier: BSD-2-Clause
// The messages of the open conversation: loads older ones before they are reached, notes what was seen, and lets the
// keyboard walk from message to message.
import {isLookedAt} from './alerts.js';
import {now} from './clock.js';
import {openDateDialog} from './date_dialog.js';
import {el, icon} from './dom.js';
import {ask, openMenu, say} from './dialog.js';
import {ExpressionPanel} from './expression_panel.js';
import {openForward} from './forward_dialog.js';
import {openForwarded} from './forwarded_view.js';
import {reasonOf, t} from './i18n.js';
import {onLongPress} from './long_press.js';
import {openMemberMenu} from './member_menu.js';
import {isShowable, openLightbox} from './lightbox.js';
import {rowNode, showDetail} from './message_view.js';
import {mayUnpin} from './pins.js';
import {KINDS_MAX, QUICK} from './reactions.js';
import {openReactions} from './reactions_dialog.js';
import {openReceipts} from './receipts_dialog.js';
import {SELECTED_MAX, Selection, isSelectable} from './selection.js';
import {rangesOf} from './snippet.js';
import {openPack} from './sticker_packs_dialog.js';
import {isolated, shortened} from './text.js';
import {detailOf, estimateHeight, messagesOf, timelineRows, versionOf} from './timeline_rows.js';
import {VirtualList} from './virtual_list.js';

const LOAD_AHEAD = 3; // viewports above
const FLASH_MS = 1600;
const NEW_MARK_PX = 60; // from the top, when a conversation is opened at what is new
const END_TOLERANCE_PX = 16; // the room below a message is not part of what it says

export class TimelineView {
    #chat;
    #conversation = null;
    #list;
    #on;
    #placed = false; // at the first unread message, or at the end where there is none; before nothing counts as seen
    #arranging = false; // rows come in, and are not yet where they will be
    #left = null; // {topSeq, newSeq}: while nobody looks, the last message before, and the first new one since
    #skippedTo = 0; // seq: the user has gone past unread messages to this one
    #found = new Map(); // message id -> {ranges, edited_at}: what was searched for
    #jumping = false; // to a message: the list is not where it will be
    #focused = null; // key of the message that the keyboard is at
    #feed = el('div.rows', {role: 'feed', 'aria-busy': 'false'});
    #scroller = el('div.timeline', {tabindex: '0'}, this.#feed);
    #latestCount = el('span.badge');
    #latest = el('button.latest', {type: 'button', hidden: true, onclick: () => this.toLatest()},
        icon('down'), this.#latestCount);
    #mentionCount = el('span.badge');
    #mention = el('button.to-mention', {type: 'button', hidden: true, title: t('mention.next'), onclick: () => this.#toMention()},
        icon('at'), this.#mentionCount);
    #notice = el('div.timeline-notice', {hidden: true});
    #reactionPanel;
    #selection = null; // Selection, while messages are selected
    node = el('div.timeline-frame', {}, this.#scroller, el('div.jumps', {}, this.#mention, this.#latest), this.#notice);

    // on.reply(message), on.edit(message), on.mention(user_id), on.select(): others are selected, or nothing is to be any more
    constructor(chat, on) {
        this.#chat = chat;
        this.#reactionPanel = new ExpressionPanel(chat, {hasStickers: false});
        this.#on = on;
        const actions = {
            menu: ({key}, anchor) => this.#openMenuOf(key, anchor),
            person: (userId, anchor) => this.#openPerson(userId, anchor),
            goTo: (id) => this.goTo({id}),
            toDate: (time) => this.openDate(time),
            forwarded: (message, title) => openForwarded(chat, message, title),
            select: (key) => this.#toggleSelected(key),
            react: ({message}, emoji) => this.#react(message, emoji),
            reactions: ({message}, emoji) => openReactions(chat, message, emoji),
            addReaction: ({message}, anchor) => this.#chooseReaction(message, anchor, anchor),
            retry: (item) => chat.resend(item),
            discard: (item) => chat.discard(item),
            cancelUpload: (item) => chat.discard(item),
            media: {files: chat.files, open: (message) => this.#openPictures(message)},
            olderAgain: () => this.#loadOlder(),
            newerAgain: () => this.#loadNewer(),
        };
        this.#list = new VirtualList(this.#scroller, this.#feed, {
            make: (row) => {
                this.#wantReactions(row);
                return rowNode(row, actions);
            }, versionOf, detailOf, refresh: (node, row) => {
                this.#wantReactions(row);
                showDetail(node, row, actions);
            },
            estimate: (row) => estimateHeight(row, this.#scroller.clientWidth),
            staysPut: (row) => row.kind === 'message', onMove: () => this.#moved(),
            hasEnd: () => (this.#conversation?.window ?? null) === null,
        });
        this.#latest.setAttribute('aria-label', t('room.latest'));
        this.#scroller.addEventListener('keydown', (event) => this.#key(event));
        this.#feed.addEventListener('click', (event) => this.#click(event), true);
        onLongPress(this.#feed, (key) => this.#selection === null && this.#openMenuOf(key)); // a click follows
        this.#feed.addEventListener('focusin', (event) => this.#noteFocus(event.target));
        for (const name of ['wheel', 'touchmove', 'pointerdown', 'keydown'])
            this.#scroller.addEventListener(name, () => this.#noteSkipped(), {passive: true});
        for (const name of ['visibilitychange', 'focus', 'blur'])
            addEventListener(name, ({target}) => (target === window || target === document) && this.refresh(), true);
    }

    // Whose they are, and which are the user's own, is asked for what is on the screen.
    #wantReactions({kinds, message}) {
        if (!(kinds?.length > 0))
            return;
        this.#chat.reactions.want(message);
        if (message.to_user_id === null)
            this.#chat.people.want(message.reactions.flatMap(({user_ids}) => user_ids));
    }

    open(conversation) {
        this.#conversation = conversation;
        this.#placed = conversation.unread === 0;
        this.#left = null;
        this.#skippedTo = 0;
        this.#focused = null;
        this.#found.clear();
        conversation.newSeq = null;
        conversation.window = null;
        this.#scroller.setAttribute('aria-label', t(conversation.isGroup ? 'group.messages' : 'room.messages', {name: this.#chat.title(conversation)}));
        this.#list.clear();
        this.refresh();
        this.#load();
    }

    close() {
        this.endSelection();
        this.#conversation = null;
        this.#list.clear();
    }

    refresh() {
        const c = this.#conversation;
        if (!c)
            return;
        const {history, shown} = c;
        this.#placed ||= c.unread === 0;
        const toPlace = !this.#placed && history.reachesUnread(this.#chat.me, c.readSeq, c.unread);
        if (toPlace)
            c.newSeq = history.firstUnread(this.#chat.me, c.readSeq)?.seq ?? null;
        this.#placed ||= toPlace;
        this.#noteAbsence(c);
        const ready = this.#placed && (shown.loaded || history.last !== null || this.#chat.outgoing.to(c.key).length > 0);
        this.#showNotice(ready || c.gone !== null ? null : history.failed ? 'failed' : 'loading');
        this.#feed.setAttribute('aria-busy', String(shown.loading !== null));
        this.#arrange(c, ready, toPlace);
    }

    // What is at the end stays there, but not at the price of unread messages that would be pushed out unseen.
    #arrange(c, ready, toPlace) {
        const atEnd = this.#list.atEnd;
        this.#arranging = true;
        this.#list.setRows(ready && c.gone === null ? this.#marked(timelineRows(this.#chat, c, this.#found)) : []);
        if (toPlace)
            this.#list.toRow('new', NEW_MARK_PX);
        else if (atEnd && ready && c.window === null)
            this.#keepUnreadInView(c);
        this.#arranging = false;
        this.#moved();
    }

    #keepUnreadInView(c) {
        const first = c.history.firstUnread(this.#chat.me, Math.max(c.readSeq, this.#skippedTo));
        if (first === null)
            return;
        const key = first.seq === c.newSeq ? 'new' : this.#rowOf(first.id, first.seq)?.key;
        if (key === undefined)
            return;
        if (this.#list.offsetOf(key) < 0)
            this.#list.toRow(key, key === 'new' ? NEW_MARK_PX : 0);
    }

    // Who looks elsewhere, or was without a connection, finds a line where they left off.
    #noteAbsence(c) {
        const here = isLookedAt() && this.#chat.synced;
        if (!here)
            this.#left ??= {topSeq: c.topSeq, newSeq: null};
        if (this.#left !== null && this.#left.newSeq === null && c.topSeq > this.#left.topSeq) {
            const first = c.history.firstUnread(this.#chat.me, c.readSeq);
            if (first !== null)
                this.#left.newSeq = c.newSeq = first.seq;
        }
        if (here)
            this.#left = null;
    }

    #noteSkipped() {
        requestAnimationFrame(() => {
            if (this.#conversation && this.#list.atEnd)
                this.#skippedTo = this.#conversation.topSeq;
        });
    }

    // What lies between counts as read: the user has chosen to pass it over.
    toLatest() {
        this.#placed = true;
        this.#conversation.window = null;
        this.#skippedTo = this.#conversation.topSeq;
        this.#list.toEnd();
        this.refresh();
    }

    // For the keyboard: to the last message that can be seen.
    focus() {
        this.#walkTo(this.#list.rows.indexOf(this.#list.lastVisible), -1);
    }

    // The newest page, if there is none yet; then on to the first unread message, if it is to be opened there.
    async #load() {
        const c = this.#conversation;
        const isWanted = () => c === this.#conversation && c.gone === null && (!c.history.loaded || (!this.#placed && c.history.hasOlder));
        for (let failed = false; isWanted() && !failed; failed = c.history.failed)
            await this.#chat.pages.load(c);
    }

    async #loadOlder() {
        await this.#chat.pages.load(this.#conversation, this.#conversation.shown);
    }

    async #loadNewer() {
        await this.#chat.pages.loadNewer(this.#conversation);
    }

    #showNotice(kind) {
        this.#notice.hidden = kind === null;
        if (kind === 'failed')
            this.#notice.replaceChildren(t('room.failed'), ' ',
                el('button.link', {type: 'button', onclick: () => this.#load()}, t('room.retry')));
        else
            this.#notice.replaceChildren(el('span.spinner'), t('room.loading'));
    }

    // ---- scrolling ----

    #moved() {
        const c = this.#conversation;
        if (!c)
            return;
        this.#loadAhead(c.shown);
        this.#latest.hidden = this.#list.atEnd && c.window === null;
        this.#noteSeen();
        this.#latestCount.hidden = c.unread === 0;
        this.#latestCount.textContent = c.unread;
        this.#mention.hidden = c.mentions === 0;
        this.#mentionCount.textContent = c.mentions;
        this.#mention.setAttribute('aria-label', `${t('mention.next')}, ${t('mention.badge', {count: c.mentions})}`);
    }

    #loadAhead(shown) {
        if (!this.#placed || this.#jumping || !shown.loaded || shown.loading)
            return;
        const ahead = LOAD_AHEAD * this.#scroller.clientHeight;
        if (shown.hasOlder && !shown.failed && this.#list.above < ahead)
            this.#loadOlder();
        else if (shown.hasNewer && !shown.failedNewer && this.#list.below < ahead)
            this.#loadNewer();
    }

    // Seen is what was on the screen to its end, in a window that the user looks at.
    #noteSeen() {
        const c = this.#conversation;
        if (!c || !this.#placed || this.#arranging || this.#jumping || !isLookedAt() || this.#scroller.clientHeight === 0)
            return;
        if (c.window !== null && (c.window.firstSeq ?? Infinity) > c.readSeq + 1)
            return; // what lies before it was passed over, and stays unread
        const {rows} = this.#list;
        let i = this.#list.lastWithEndInView(END_TOLERANCE_PX);
        while (i >= 0 && !(rows[i].kind === 'message' && rows[i].message.seq !== null))
            i--;
        if (i >= 0)
            this.#chat.sawUpTo(c, messagesOf(rows[i]).findLast(({seq}) => seq !== null).seq);
    }

    // What lies before it counts as read: the user has chosen to pass it over. It may be further back than what is here.
    async #toMention() {
        const c = this.#conversation;
        const find = () => c.history.firstUnreadMention(this.#chat.me, c.readSeq);
        while (c === this.#conversation && c.history.hasOlder && (c.history.firstSeq ?? Infinity) > c.readSeq + 1 && !c.history.failed)
            await this.#chat.pages.load(c);
        const message = c === this.#conversation ? find() : null;
        if (message === null)
            return;
        this.#placed = true;
        await this.goTo(message);
        this.#noteSeen();
        this.#chat.sawUpTo(c, message.seq);
    }

    // What a search has found is marked: items of GET /messages/search.
    mark(items) {
        this.#found = new Map(items.filter(({message}) => message.content).map(({message, highlights}) =>
            [message.id, {ranges: rangesOf(highlights, message.content.length), edited_at: message.edited_at}]));
        this.refresh();
    }

    // To a message, {id, seq}, however far back it is; the seq is asked for where it is not given. It gets the focus, unless
    // that has to stay where it is.
    async goTo({id, seq = null}, takesFocus = true) {
        const c = this.#conversation;
        const fault = await this.#bring(c, id, seq);
        if (c !== this.#conversation)
            return;
        if (fault !== null) {
            say(fault);
            return;
        }
        this.#placed = true;
        this.#jumping = true;
        this.refresh();
        const row = this.#rowOf(id, seq);
        if (row)
            this.#list.toRow(row.key, this.#scroller.clientHeight / 3);
        this.#jumping = false;
        this.#moved();
        if (row)
            this.#point(row.key, takesFocus);
        else
            say(t('message.gone'));
    }

    // Makes sure that the message is among those that are shown. Resolves to what is wrong in words, or null.
    async #bring(c, id, seq) {
        if (c.shown.byId(id) !== null)
            return null;
        if (c.history.byId(id) !== null) {
            c.window = null;
            return null;
        }
        try {
            await this.#chat.pages.showAround(c, seq ?? (await this.#chat.rest.message(id)).seq);
        } catch (problem) {
            return problem.code === 'not_found' ? t('message.gone') : reasonOf(problem);
        }
        return null;
    }

    // The row of the message; or, of one that is not shown, the next one.
    #rowOf(id, seq) {
        const {rows} = this.#list;
        return rows.find((r) => 'message' in r && messagesOf(r).some((m) => m.id === id)) ?? rows.find((r) => seq !== null && 'message' in r && r.message.seq >= seq);
    }

    #point(key, takesFocus) {
        const node = this.#list.nodeOf(key);
        this.#focused = key;
        if (takesFocus)
            node.focus({preventScroll: true});
        node.classList.add('flash');
        setTimeout(() => node.classList.remove('flash'), FLASH_MS);
    }

    // To a day that the user chooses. time: of the day that is offered first; by default of the newest message.
    openDate(time = this.#conversation.time ?? now()) {
        const c = this.#conversation;
        openDateDialog(this.#chat, c, time, (message) => c === this.#conversation && this.goTo(message));
    }

    // ---- the keyboard ----

    #noteFocus(target) {
        const key = target.closest('.message, .system')?.dataset.key;
        if (key !== undefined)
            this.#focused = key;
    }

    #key(event) {
        const at = this.#focused === null ? -1 : this.#list.indexOf(this.#focused);
        const inside = event.target.closest('.message, .system') !== null;
        if (event.target.closest('audio, video'))
            return;
        switch (event.key) {
        case 'ArrowUp':
            if (inside)
                this.#walkTo(at - 1, -1);
            else
                this.focus();
            break;
        case 'ArrowDown':
            if (inside)
                this.#walkTo(at + 1, 1);
            else
                this.focus();
            break;
        case 'Escape':
            if (this.#selection === null)
                return;
            this.endSelection();
            break;
        case 'End':
            this.toLatest();
            this.#walkTo(this.#list.rows.length - 1, -1);
            break;
        case 'Enter':
        case ' ':
        case 'ContextMenu':
            if (!inside || event.target.closest('a, button, input, [role=button]'))
                return;
            if (this.#selection === null)
                this.#openMenuOf(this.#focused);
            else
                this.#toggleSelected(this.#focused, event.shiftKey);
            break;
        default:
            return;
        }
        event.preventDefault();
    }

    // From that row on the next one that is a message gets the focus.
    #walkTo(index, step) {
        const {rows} = this.#list;
        while (index >= 0 && index < rows.length && !('message' in rows[index]))
            index += step;
        if (index < 0 || index >= rows.length)
            return;
        this.#list.reveal(rows[index].key);
        this.#list.nodeOf(rows[index].key)?.focus({preventScroll: true});
    }

    // ---- selecting several ----

    get selection() {
        return this.#selection;
    }

    #select(row) {
        this.#selection = new Selection();
        this.#toggleAll(messagesOf(row).filter(isSelectable));
        this.#changeSelection();
        this.#list.nodeOf(row.key)?.focus({preventScroll: true});
    }

    endSelection() {
        if (this.#selection === null)
            return;
        this.#selection = null;
        this.#changeSelection();
    }

    #changeSelection() {
        this.refresh();
        this.#on.select();
    }

    forwardSelected() {
        if (this.#selection?.count > 0)
            openForward(this.#chat, this.#selection.messages, () => this.endSelection());
    }

    #toggleSelected(key, toThere = false) {
        const row = this.#list.rows[this.#list.indexOf(key)];
        const messages = row ? messagesOf(row).filter(isSelectable) : [];
        if (this.#selection === null || messages.length === 0)
            return;
        const fits = toThere ? this.#selection.extendTo(messages.at(-1), this.#conversation.shown.messages) : this.#toggleAll(messages);
        if (!fits)
            say(t('selection.full', {count: SELECTED_MAX}));
        this.#changeSelection();
    }

    // An album is selected as a whole.
    #toggleAll(messages) {
        const wanted = !messages.every((m) => this.#selection.has(m));
        return messages.filter((m) => this.#selection.has(m) !== wanted).every((m) => this.#selection.toggle(m));
    }

    // Tells each row whether it is selected.
    #marked(rows) {
        if (this.#selection === null)
            return rows;
        this.#selection.refresh((m) => (this.#conversation.history.isDeleted(m.id) ? null : this.#chat.conversations.messageOf(m) ?? m));
        for (const row of rows) {
            if (row.kind === 'message' && isSelectable(row.message))
                row.selected = this.#selection.has(row.message);
        }
        return rows;
    }

    // While messages are selected a click on one does nothing else.
    #click(event) {
        const key = event.target.closest('.message')?.dataset.key;
        if (this.#selection === null || key === undefined || event.target.matches('.select'))
            return;
        event.preventDefault();
        event.stopPropagation();
        this.#toggleSelected(key, event.shiftKey);
    }

    // ---- what can be done with a message ----

    // Of a message, or of one in an album.
    #findRow(key) {
        const {rows} = this.#list;
        return rows[this.#list.indexOf(key)] ?? rows.flatMap(({album}) => album ?? []).find((row) => row.key === key);
    }

    #openMenuOf(key, anchor = this.#list.nodeOf(key) ?? this.#feed.querySelector(`[data-key="${CSS.escape(key)}"]`)) {
        const row = this.#findRow(key);
        if (anchor !== null && row?.kind === 'message')
            this.#openMenu(row, anchor);
    }

    // Over the whole page, with those before and after it.
    #openPictures(message) {
        const c = this.#conversation;
        const nameOf = ({from_user_id}) => (from_user_id === this.#chat.me ? t('message.you') : this.#chat.people.name(from_user_id));
        openLightbox(c.shown.messages.filter(isShowable), message, {files: this.#chat.files}, nameOf, (shown, anchor) => {
            const row = this.#list.rows.flatMap((r) => r.album ?? [r]).find((r) => r.message?.id === shown.id);
            if (row)
                this.#openMenu(row, anchor);
        });
    }

    #openPerson(userId, anchor) {
        openMemberMenu(this.#chat, this.#conversation, userId, anchor, this.#on.mention);
    }

    // Whether an answer could be sent.
    #canAnswer() {
        const {peer, group, gone} = this.#conversation;
        return peer === null ? gone === null && group?.dissolved_at === null : this.#chat.people.isFriend(peer.user_id);
    }

    #openMenu(row, anchor) {
        const {message, item, own, name, final} = row;
        const c = this.#conversation;
        const stored = item === null;
        openMenu(anchor, t('message.actions'), [
            stored && !message.is_recalled && this.#canAnswer() &&
                {label: t('message.reply'), icon: 'reply', act: () => this.#on.reply(message)},
            stored && this.#chat.canEdit(message) && {label: t('message.edit'), icon: 'edit', act: () => this.#on.edit(message)},
            message.content && {label: t('message.copy'), icon: 'copy', act: () => this.#copy(message)},
            stored && isSelectable(message) && {label: t('forward.item'), icon: 'forward', act: () => openForward(this.#chat, [message])},
            stored && isSelectable(message) && {label: t('selection.item'), icon: 'select', act: () => this.#select(row.of ?? row)},
            stored && this.#pinItem(c, message),
            row.sticker?.pack && {label: t('stickers.show'), icon: 'sticker', act: () => openPack(this.#chat, row.sticker.pack)},
            stored && row.kinds.length > 0 && {label: t('reactions.who'), icon: 'react', act: () => openReactions(this.#chat, message)},
            stored && own && c.isGroup && !message.is_recalled && this.#chat.groups.of(c).receipts &&
                {label: t('receipts.seen'), icon: 'checks', act: () => openReceipts(this.#chat, c, message)},
            stored && c.isGroup && !own && {label: t('message.about', {name}), icon: 'people', act: () => this.#openPerson(message.from_user_id, anchor)},
            item?.problem && !final && {label: t('message.retry'), icon: 'send', act: () => this.#chat.resend(item)},
            item && {label: t('message.discard'), icon: 'trash', danger: true, act: () => this.#chat.discard(item)},
            this.#chat.canRecall(message) && stored &&
                {label: t('message.recall'), icon: 'undo', act: () => this.#recall(message)},
            stored && {label: t('message.delete'), icon: 'trash', danger: true, act: () => this.#delete(message)},
        ], anchor.querySelector('.bubble') ?? anchor, null, row.mayReact ? this.#quickReactions(row, anchor) : null);
    }

    // To one in an album: under the album.
    #quickReactions(row, anchor) {
        const {key, message, kinds} = row.of ?? row;
        const more = kinds.map(({emoji}) => emoji).filter((emoji) => !QUICK.includes(emoji));
        const own = (emoji) => kinds.some((kind) => kind.emoji === emoji && kind.own);
        return {label: t('reactions.add'), items: [
            ...[...QUICK.slice(0, QUICK.length - more.slice(0, 2).length), ...more.slice(0, 2)].map((emoji) =>
                ({label: emoji, text: emoji, checked: own(emoji), act: () => this.#react(message, emoji)})),
            {label: t('reactions.other'), icon: 'react', act: () => this.#chooseReaction(message, anchor, this.#list.nodeOf(key) ?? anchor)},
        ]};
    }

    // back: what gets the focus afterwards
    #chooseReaction(message, anchor, back) {
        this.#reactionPanel.open({anchor, beside: anchor.closest('.message')?.querySelector('.bubble') ?? anchor, back, pick: (emoji) => {
            this.#react(message, emoji);
            return false;
        }});
    }

    async #react(message, emoji) {
        const now = this.#chat.conversations.messageOf(message) ?? message;
        try {
            await this.#chat.reactions.toggle(now, emoji);
        } catch (problem) {
            const tooMany = problem.code === 'conflict' && now.reactions.length >= KINDS_MAX;
            say(tooMany ? t('reactions.tooMany') : problem.code === 'conflict' ? t('reactions.recalled') : reasonOf(problem));
        }
    }

    #pinItem(c, message) {
        const {pins} = this.#chat;
        if (pins.has(message))
            return mayUnpin(c) && {label: t('pins.unpin'), icon: 'unpin', act: () => this.#pin(() => pins.unpin(c, message))};
        return this.#chat.canPin(message) && {label: t('pins.pin'), icon: 'pin', act: () => this.#pin(() => pins.pin(c, message))};
    }

    async #pin(act) {
        try {
            await act();
        } catch (problem) {
            say(problem.code === 'conflict' ? t('pins.tooMany') : reasonOf(problem));
        }
    }

    async #copy(message) {
        try {
            await navigator.clipboard.writeText(message.content);
            say(t('message.copied'));
        } catch {
            // not allowed to: the text can be selected
        }
    }

    async #recall(message) {
        try {
            await this.#chat.recall(message);
        } catch (problem) {
            say(problem.code === 'recall_expired' ? t('message.tooLate') : reasonOf(problem));
        }
    }

    async #delete(message) {
        const question = t(this.#conversation.isGroup ? 'message.deleteGroupAsk' : 'message.deleteAsk');
        if (!await ask(`${question} “${isolated(shortened(this.#chat.shortText(message), 80))}”`, t('message.delete')))
            return;
        try {
            await this.#chat.deleteForMe(message);
        } catch (problem) {
            say(reasonOf(problem));
        }
    }
}
