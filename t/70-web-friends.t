# SPDX-License-Identifier: BSD-2-Clause
# Proves friendship on the chat page: finding people, requests with notes, accepting and declining, who is online,
# blocking friends and others, ending it; and the notifications under the bell.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
my $anyone = $t->http(undef);
$anyone->post('/users/register', {user_id => $_, password => 'correct horse', nickname => ucfirst}) for qw(ann ben cat);

my ($ann, $ben) = map { $web->enter($_) } qw(ann ben);
$_->click('#tab-friends') for $ann, $ben;

subtest 'asking and accepting' => sub {
	$ann->fill('.people [role=search] input', "nobody\n")->wait_text('.found', 'no user');
	pass 'nobody of that name';
	$ann->fill('.people [role=search] input', "ann\n")->wait_text('.found', 'That is you');
	$ann->fill('.people [role=search] input', "ben\n")->wait_text('.found .name', 'Ben');
	$ann->type('.found .request input', "we met <b>yesterday</b>\n");
	$ann->wait_text('.note', 'Request sent')->wait_value(q{document.querySelector('.found').textContent === ''});
	$ann->wait_text('[data-section=outgoing] .person', 'Ben');
	pass 'a request is sent, and listed';
	$ben->wait_text('#tab-friends .badge', '1');
	$ben->wait_text('[data-section=requests] .person-note', 'we met <b>yesterday</b>');
	pass 'it is there at once, with its note, which is text';
	$ben->wait_note('Ann wants to be your friend');
	$ben->click('[data-section=requests] .primary');
	$_->[0]->wait_text('[data-section=friends] .name', $_->[1]) for [$ann, 'Ben'], [$ben, 'Ann'];
	$ann->wait_value(q{document.querySelector('[data-section=friends] [data-user=ben] .dot.online')});
	$ann->wait_note('Ben and you are friends now');
	pass 'accepted: both are friends, and online';
	$ben->wait_value(q{!document.querySelector('[data-section=requests]').checkVisibility()});
};

subtest 'declining, and the bell' => sub {
	$t->http('cat')->post('/friends/requests', {user_id => 'ann', note => 'hello'});
	$ann->wait_text('.side-header .badge', '1');
	$ann->click('.side-header .icon-button')->wait_text('.panel .notice', 'Cat wants to be your friend');
	pass 'a request is under the bell';
	my $moments = $t->http(undef, token => $t->token('moments', scope => 'notify'));
	$moments->post('/notifications', {user_id => 'ann', kind => 'moment_comment', actor_id => 'ben', ref => {kind => 'moment', id => '7'}, body => 'so <i>nice</i>'});
	$ann->wait_text('.side-header .badge', '2');
	$ann->wait_text('.panel .notice', 'Ben commented on your moment');
	$ann->wait_text('.panel .notice q', 'so <i>nice</i>');
	pass 'so is what another module tells, as it comes';
	$ann->click('.panel .notice', 'commented')->wait_text('.side-header .badge', '1');
	wait_for('it to be read', sub { $t->api('ann')->get('/notifications/unread-count')->json->{unread_count} == 0 });
	pass 'and is read by a click';
	$ann->click('.panel .notice', 'Cat')->click('[data-section=requests] .quiet');
	$ann->wait_value(q{!document.querySelector('[data-section=requests]').checkVisibility()});
	is_deeply $t->api('ann')->get('/friends/requests')->json->{items}, [], 'declined';
	is_deeply $t->http('cat')->get('/friends')->json->{items}, [], 'and no friend';
	$ann->wait_value(q{document.querySelector('.side-header .badge').hidden});
};

subtest 'blocking' => sub {
	$ann->click('[data-section=friends] [data-user=ben] a');
	$ben->click('[data-section=friends] [data-user=ann] a');
	$_->wait_text('.room-title', 'online') for $ann, $ben;
	$ann->say_text('hello');
	$ben->wait_last('hello');
	$ben->choose('.room-header', 'Block');
	$ben->wait_text('.room-notice', 'You have blocked Ann');
	ok !$ben->value(q{document.querySelector('.composer').checkVisibility()}), 'one does not write to whom one has blocked';
	$ann->wait_value(q{/offline|last seen/.test(document.querySelector('.room-status').textContent)});
	$ann->say_text('are you there?');
	$ann->wait_text('.message.failed .failure', 'Not sent. This person does not take messages from you.');
	pass 'the one who is blocked sees them offline, and is told that it was not sent';
	is $ann->count('.message'), 2, 'the message stays';
	$ben->click('.room-notice .quiet');
	$ben->wait_value(q{document.querySelector('.composer').checkVisibility()});
	$ann->wait_text('.room-status', 'online');
	$ann->click('.failure .retry');
	$ben->wait_last('are you there?');
	$ann->wait_gone('.message.failed');
	is_deeply $ann->texts, ['hello', 'are you there?'], 'unblocked: sent again, it arrives, once';
	is_deeply $ben->texts, $ann->texts, 'on both sides';
};

subtest 'ending it' => sub {
	$ann->choose('.room-header', 'End friendship')->agree;
	$_->wait_text('.room-notice', 'not friends') for $ann, $ben;
	ok !$_->value(q{document.querySelector('.composer').checkVisibility()}), 'neither can write' for $ann, $ben;
	is $ben->count('.message'), 2, 'what was said stays';
	$ben->click('.room-notice .quiet')->wait_text('.room-notice .quiet', 'Request sent');
	$ann->wait_text('#tab-friends .badge', '1');
	$ann->click('#tab-friends')->click('[data-section=requests] .primary');
	$_->wait_value(q{document.querySelector('.composer').checkVisibility()}) for $ann, $ben;
	pass 'and they may begin anew, from where they are';
};

subtest 'blocking anybody' => sub {
	$anyone->post('/users/register', {user_id => $_, password => 'correct horse', nickname => ucfirst}) for qw(dan eve fay);
	$t->http('dan')->post('/friends/requests', {user_id => 'ann', note => 'please'});
	$ann->click('#tab-friends')->wait_text('[data-section=requests] .name', 'Dan');
	$ann->choose('.person[data-user=dan]', 'Block')->wait_value(q{!document.querySelector('[data-section=requests]').checkVisibility()});
	is_deeply [map { $_->{user_id} } @{$t->api('ann')->get('/users/blocked')->json->{items}}], ['dan'], 'who asks to be a friend can be blocked, and the request goes';
	$ann->fill('.people [role=search] input', "eve\n")->wait_text('.found .name', 'Eve');
	$ann->choose('.found .card', 'Block')->wait_text('.found small', 'Blocked');
	ok !$ann->value(q{document.querySelector('.found form') !== null}), 'and so can whom one has found';
	$ann->click('[data-section=friends] [data-user=ben] a')->wait_text('.room-title h2', 'Ben');
	$ann->choose('.room-header', 'End friendship')->agree->wait_text('.room-notice', 'not friends');
	$ann->choose('.room-header', 'Block')->wait_text('.room-notice', 'You have blocked Ben');
	$ben->wait_text('.room-notice', 'not friends');
	$ben->click('.room-notice .quiet')->wait_text('.note', 'Ann does not take requests from you');
	pass 'and who is a friend no more; they are told when they ask';
	$ann->click('.mine')->wait_text('.dialog h3', 'Blocked users');
	$ann->wait_text('.dialog .hint', 'They are not notified, but are told so when they try.');
	is_deeply $ann->value(q{[...document.querySelectorAll('.blocked .name')].map((e) => e.textContent)}), [qw(Ben Dan Eve)], 'the settings list them all';
	$ann->click('.blocked [data-user=dan] button')->wait_count('.blocked li', 2);
	$ann->wait_value(q{document.activeElement.matches('.blocked button')});
	$ann->click('.blocked [data-user=eve] button')->wait_count('.blocked li', 1)->click('.blocked [data-user=ben] button')->wait_text('.dialog', 'You have blocked nobody');
	is_deeply $t->api('ann')->get('/users/blocked')->json->{items}, [], 'and lift it';
	ok $ann->value(q{document.activeElement.id === 'blocked-title'}), 'the keyboard is not lost';
	$ann->key('Escape');
};

subtest 'finding whom one knows already' => sub {
	$anyone->post('/users/register', {user_id => 'gil', password => 'correct horse', nickname => 'Gil'});
	my $gil = $t->http('gil');
	my $find = sub { $ann->fill('.people [role=search] input', "gil\n")->wait_text('.found .name', 'Gil') };
	my $shows = sub {
		my ($text, $what) = @_;
		$ann->wait_text('.found', $text);
		ok !$ann->value(q{document.querySelector('.found form') !== null}), $what;
	};
	$find->();
	my ($wide, $narrow) = @{$ann->value(q{['.primary', '.more'].map((s) => document.querySelector(`.found form > ${s}`).getBoundingClientRect().width)})};
	is $narrow, 40, 'the menu of a result is as small as elsewhere';
	cmp_ok $wide, '>', 200, 'and the button below as wide as the note';
	$ann->click('.found .primary')->wait_text('[data-section=outgoing] .person', 'Gil');
	$find->();
	$shows->('Waiting for an answer', 'a request is sent once');
	$gil->put('/friends/requests/ann/decline');
	$ann->wait_text('.found .primary', 'Send request');
	pass 'the result follows what happens';
	$gil->post('/friends/requests', {user_id => 'ann', note => 'it is me'});
	$ann->wait_text('.found .person-note', 'it is me');
	$shows->('Accept', 'who has asked is answered');
	$ann->click('.found .person-buttons .quiet')->wait_text('.found .primary', 'Send request');
	is_deeply $t->api('ann')->get('/friends/requests')->json->{items}, [], 'declined here';
	$t->befriend(qw(ann gil));
	$ann->reload->wait_online->click('#tab-friends');
	$find->();
	$shows->('Message', 'a friend can be written to');
	$ann->choose('.found .card', 'Block');
	$shows->('Blocked', 'but not a friend who is blocked');
	is $ann->count('.found a'), 0, 'who has no link to a conversation';
	$ann->choose('.found .card', 'Unblock')->wait_text('.found a', 'Message');
	pass 'until they are unblocked';
	$ann->value(q{void (document.querySelector('.found a').focus())});
	$ann->click('.mine')->wait_text('.dialog h3', 'Blocked users');
	$t->api('ann')->put('/users/gil/block');
	$ann->key('Escape')->reload->wait_online->click('#tab-friends');
	$find->();
	$shows->('Blocked', 'blocked elsewhere');
	$ann->click('.mine')->click('.blocked [data-user=gil] button')->wait_gone('.blocked li')->key('Escape')->wait_text('.found a', 'Message');
	pass 'and unblocked in the settings';
	$ann->fill('.people [role=search] input', '')->wait_value(q{document.querySelector('.found').textContent === ''});
	pass 'the result goes with what was searched for';
};

subtest 'a request, seen from the conversation' => sub {
	$t->befriend(qw(ann hal));
	$ann->reload->wait_online->click('#tab-friends')->click('[data-section=friends] [data-user=hal] a')->wait_text('.room-title h2', 'Hal');
	$ann->choose('.room-header', 'End friendship')->agree->wait_text('.room-notice', 'not friends');
	is $t->api('hal')->post('/friends/requests', {user_id => 'ann'})->status, 201, 'asked';
	$ann->wait_text('.room-notice', 'Hal wants to be your friend')->click('.room-notice .primary')->wait_value(q{document.querySelector('.composer').checkVisibility()});
	pass 'can be accepted there';
	$ann->click('#tab-friends');
};

subtest 'asking who has declined' => sub {
	$ann->fill('.people [role=search] input', "fay\n")->wait_text('.found .name', 'Fay')->click('.found .primary')->wait_text('.note', 'Request sent');
	$t->http('fay')->put('/friends/requests/ann/decline');
	$ann->wait_text('.note', 'Fay declined');
	$ann->fill('.people [role=search] input', "fay\n")->wait_text('.found .name', 'Fay')->click('.found .primary');
	$ann->wait_text('.found .fault', 'Fay declined a request of yours. You can ask again in');
	like $ann->value(q{document.querySelector('.found .fault').textContent}), qr/ in 2\d hours\.$/, 'has to wait, and is told how long';
};

is_deeply [map { $_->own_faults } $ann, $ben], [], 'no error in the consoles, nothing refused by the policy';
$web->stop;
done_testing;
