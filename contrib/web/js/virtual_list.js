// SPDX-License-Identifier: BSD-2-Clause
// A long list of rows of different heights, of which only those near the viewport are elements. What the user looks at
// stays where it is whatever comes in above, below or within; at the end it stays at the end.
//
// The place is an anchor: one row and its distance from the top of the viewport. Rows that were never shown have an
// estimated height. When they turn out taller or smaller while the user scrolls, the space above absorbs the difference
// (#drift) rather than the scroll position, for setting that would stop a scroll that is under way; once it has come to
// rest, or the beginning is near, both are put right at once, which cannot be seen.
import {KeyedList} from './dom.js';

const END = Symbol('end');
const OVERSCAN_PX = 800;
const AT_END_PX = 4;
const REST_MS = 120;

export class VirtualList {
    #scroller;
    #list;
    #keyed;
    #versionOf;
    #detailOf;
    #estimate;
    #staysPut;
    #onMove;
    #hasEnd;
    #rows = []; // {key, …} of the caller
    #heights = []; // of the rows, measured or estimated
    #measured = new Map(); // key -> height
    #sums = {measured: 0, estimated: 0}; // of the rows that were measured: how good the estimates are
    #anchor = END; // or {index, key, offset}
    #first = 0;
    #last = -1; // those that are elements
    #drift = 0; // how much more space there is above than the heights sum up to
    #knownTop = 0; // the scroll position that the anchor belongs to
    #restTimer = null;
    #observer;

    // scroller scrolls, list is its only child. make(row) returns a node; versionOf(row) says when to make it anew;
    // detailOf(row) says when refresh(node, row) does; estimate(row) in pixels; staysPut(row): whether it keeps its neighbours
    // when others come in; onMove() after every scroll and change; hasEnd(): whether the last row is the end, where one stays
    // when others come in.
    constructor(scroller, list, {make, versionOf, detailOf, refresh, estimate, staysPut, onMove, hasEnd}) {
        this.#scroller = scroller;
        this.#list = list;
        this.#versionOf = versionOf;
        this.#detailOf = detailOf;
        this.#estimate = estimate;
        this.#staysPut = staysPut;
        this.#onMove = onMove;
        this.#hasEnd = hasEnd;
        this.#observer = new ResizeObserver(() => this.#resized());
        this.#observer.observe(scroller);
        this.#keyed = new KeyedList(list, ({row}) => {
            const node = make(row);
            this.#observer.observe(node);
            return node;
        }, (node, {row}) => refresh(node, row));
        scroller.addEventListener('scroll', () => this.#scrolled(), {passive: true});
    }

    get atEnd() {
        return this.#anchor === END;
    }

    get rows() {
        return this.#rows;
    }

    // Pixels from the first row to the viewport.
    get above() {
        return this.#scroller.scrollTop - this.#drift;
    }

    // And from it to the end of the last row.
    get below() {
        return this.#sum(0, this.#rows.length) - this.above - this.#scroller.clientHeight;
    }

    // The index of the last row whose lower edge is in the viewport, or so many pixels below it; -1 if that of none is.
    lastWithEndInView(tolerance) {
        const edge = this.above + this.#scroller.clientHeight + tolerance;
        let index = -1;
        for (let bottom = 0; index + 1 < this.#rows.length; index++) {
            bottom += this.#heights[index + 1];
            if (bottom > edge)
                break;
        }
        return index;
    }

    // Pixels from the top of the viewport to the row; null if there is no such row.
    offsetOf(key) {
        const index = this.indexOf(key);
        return index < 0 ? null : this.#sum(0, index) - this.above;
    }

    // The last row of which something is to be seen; null without rows.
    get lastVisible() {
        if (this.#rows.length === 0)
            return null;
        return this.#rows[this.#indexAt(this.above + this.#scroller.clientHeight - 1)];
    }

    nodeOf(key) {
        return this.#keyed.nodeOf(key);
    }

    indexOf(key) {
        return this.#rows.findIndex((row) => row.key === key);
    }

    // Another list altogether.
    clear() {
        this.#measured.clear();
        this.#rows = [];
        this.#anchor = END;
        this.#drift = 0;
        this.#layout(true);
    }

    setRows(rows) {
        this.#catchUp();
        this.#rows = rows;
        const ratio = this.#sums.estimated > 0 ? this.#sums.measured / this.#sums.estimated : 1;
        this.#heights = rows.map((row) => this.#measured.get(row.key) ?? this.#estimate(row) * ratio);
        if (this.#anchor !== END) {
            const index = this.indexOf(this.#anchor.key);
            this.#anchor.index = index >= 0 ? index : Math.min(this.#anchor.index, rows.length - 1);
            this.#anchor.key = rows[this.#anchor.index]?.key;
            if (rows.length === 0)
                this.#anchor = END;
        }
        this.#layout(false);
    }

    toEnd() {
        this.#anchor = END;
        this.#layout(true);
    }

    // Puts the row so many pixels under the top of the viewport.
    toRow(key, offset) {
        const index = this.indexOf(key);
        if (index < 0)
            return;
        this.#anchor = {index, key, offset};
        this.#layout(true);
        this.#noteAnchor();
    }

    // Scrolls as little as brings the whole row into view.
    reveal(key) {
        const index = this.indexOf(key);
        if (index < 0)
            return;
        const top = this.#sum(0, index) - this.above, bottom = top + this.#heights[index];
        if (top < 0)
            this.toRow(key, 0);
        else if (bottom > this.#scroller.clientHeight)
            this.toRow(key, this.#scroller.clientHeight - this.#heights[index]);
    }

    // ---- where things are ----

    #sum(from, to) {
        let sum = 0;
        for (let i = from; i < to; i++)
            sum += this.#heights[i];
        return sum;
    }

    // The row at so many pixels under the top of the first.
    #indexAt(y) {
        let i = 0;
        for (let bottom = this.#heights[0]; bottom <= y && i < this.#rows.length - 1;)
            bottom += this.#heights[++i];
        return i;
    }

    #noteAnchor() {
        const {scrollTop, scrollHeight, clientHeight} = this.#scroller;
        this.#knownTop = scrollTop;
        if (this.#hasEnd() && this.#last === this.#rows.length - 1 && scrollHeight - scrollTop - clientHeight <= AT_END_PX) {
            this.#anchor = END;
            return;
        }
        // One that was an element before, if any is to be seen still: the heights of the others are guesses.
        const known = this.#sum(0, this.#first) < this.above + clientHeight ? this.#first : 0;
        let index = Math.max(this.#indexAt(this.above), known);
        // The first that is in view from its beginning: what lies over it may grow, and does so upwards.
        const top = this.#sum(0, index);
        if (top < this.above && index < this.#last && top + this.#heights[index] < this.above + clientHeight)
            index++;
        while (index < this.#last && !this.#staysPut(this.#rows[index]))
            index++;
        this.#anchor = {index, key: this.#rows[index].key, offset: this.#sum(0, index) - this.above};
    }

    // ---- what happens ----

    // The user may have scrolled and the event not have come yet. True where that is so.
    #catchUp() {
        const moved = Math.abs(this.#scroller.scrollTop - this.#knownTop) >= 1 && this.#rows.length > 0;
        if (moved)
            this.#noteAnchor();
        return moved;
    }

    #scrolled() {
        if (!this.#catchUp())
            return;
        this.#layout(false);
        // After a leap its rows were no elements, and the anchor may begin above the viewport: what is seen would move when
        // it changes its height. Now there is a better one.
        if (this.#anchor !== END && this.#anchor.offset < 0)
            this.#noteAnchor();
        clearTimeout(this.#restTimer);
        this.#restTimer = setTimeout(() => this.#cameToRest(), REST_MS);
    }

    // A leap may be seen here before its event comes, which then finds nothing left to do.
    #cameToRest() {
        if (this.#catchUp() || this.#drift !== 0)
            this.#layout(true);
    }

    #resized() {
        const moved = this.#catchUp();
        if (this.#measure() || moved || this.#anchor === END)
            this.#layout(false);
    }

    // ---- showing ----

    // settle: set the scroll position too, so that nothing of the drift is left.
    #layout(settle) {
        for (let again = true, rounds = 0; again && rounds < 5; rounds++) {
            this.#span();
            this.#keyed.show(this.#rows.slice(this.#first, this.#last + 1).map((row) =>
                ({key: row.key, version: this.#versionOf(row), detail: this.#detailOf(row), row})));
            again = this.#measure();
        }
        this.#place(settle);
        this.#onMove();
    }

    // Which rows are to be elements: those in the viewport and some on each side.
    #span() {
        const height = this.#scroller.clientHeight;
        const count = this.#rows.length;
        if (this.#anchor === END) {
            this.#last = count - 1;
            this.#first = this.#upFrom(count, height + OVERSCAN_PX);
        } else {
            this.#first = this.#upFrom(this.#anchor.index, this.#anchor.offset + OVERSCAN_PX);
            this.#last = this.#downFrom(this.#anchor.index, height - this.#anchor.offset + OVERSCAN_PX);
        }
    }

    #upFrom(index, pixels) {
        for (; index > 0 && pixels > 0; pixels -= this.#heights[index])
            index--;
        return index;
    }

    #downFrom(index, pixels) {
        for (; index < this.#rows.length - 1 && pixels > this.#heights[index]; index++)
            pixels -= this.#heights[index];
        return Math.min(index, this.#rows.length - 1);
    }

    // True where a height is not what it was taken for.
    #measure() {
        let differs = false;
        for (let i = this.#first; i <= this.#last; i++) {
            const height = this.#keyed.nodeOf(this.#rows[i].key)?.getBoundingClientRect().height;
            if (height === undefined)
                continue;
            differs ||= Math.abs(height - this.#heights[i]) > 0.5;
            this.#heights[i] = height;
            this.#noteHeight(this.#rows[i], height);
        }
        return differs;
    }

    #noteHeight(row, height) {
        if (!this.#measured.has(row.key)) {
            this.#sums.measured += height;
            this.#sums.estimated += this.#estimate(row);
        }
        this.#measured.set(row.key, height);
    }

    #place(settle) {
        const before = this.#sum(0, this.#first);
        let wanted = null;
        this.#drift = 0;
        if (this.#anchor !== END) {
            wanted = this.#sum(0, this.#anchor.index) - this.#anchor.offset;
            const drift = this.#scroller.scrollTop - wanted;
            if (!settle && this.#first > 0 && before + drift >= 0) {
                this.#drift = drift;
                wanted = null;
            }
        }
        this.#list.style.paddingTop = `${before + this.#drift}px`;
        this.#list.style.paddingBottom = `${this.#sum(this.#last + 1, this.#rows.length)}px`;
        if (this.#anchor === END)
            wanted = this.#scroller.scrollHeight;
        if (wanted !== null && wanted !== this.#scroller.scrollTop)
            this.#scroller.scrollTop = wanted;
        this.#knownTop = this.#scroller.scrollTop;
        // There may be less above than was guessed: the anchor cannot be where it was wanted.
        if (this.#anchor !== END && wanted !== null && Math.abs(this.#knownTop - wanted) >= 1)
            this.#noteAnchor();
    }
}
