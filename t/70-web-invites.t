# SPDX-License-Identifier: BSD-2-Clause
# Proves invite links on the chat page: making, copying and revoking them; opening one, logged in or not yet; joining, or
# asking to where an admin has to let one in; and why one cannot, in words.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben));
$t->befriend($_) for qw(cat dan eve gus);
my $group = $web->group('Walkers', 'ann', ['ben'], about => "Every Sunday,\n<i>whatever</i> the weather", avatar_url => $web->address . '/icon.svg?group');
my $ann = $web->enter('ann', permissions => ['clipboard-read', 'clipboard-write']);
$ann->open_group($group)->open_panel('invites')->wait_text('.group-invites [role=status]', 'There are no links');

my $clipboard = 'navigator.clipboard.readText()';

sub invite_to { my (%fields) = @_; return $t->api('ann')->post("/groups/$group/invites", {%fields})->json->{code} }

subtest 'making one' => sub {
	$ann->click('.row-form .primary')->wait_text('.invite', 'used 0 times');
	$ann->wait_value(q{document.activeElement.textContent === 'Copy link'});
	pass 'the focus goes to copying it';
	$ann->key('Enter')->wait_text('.note', 'Link copied');
	like $ann->value($clipboard), qr{^\Q@{[$web->address]}\E/#invite=[\w-]{16}$}, 'a link to this page';
	is $ann->value(q{document.querySelector('.invite-link').value}), $ann->value($clipboard), 'which is also there to be copied by hand';
	$ann->value(q{(() => { const [expires, uses] = document.querySelectorAll('.row-form select'); expires.value = '0'; uses.value = '1'; return 0; })()});
	$ann->click('.row-form .primary')->wait_count('.invite', 2)->wait_text('.invite', "used 0 of 1 times \x{b7} no end");
	pass 'for ever, for one';
	$ann->click('.invite:last-child .quiet')->agree->wait_count('.invite', 1);
	is_deeply [map { $_->{max_uses} } @{$t->api('ann')->get("/groups/$group/invites")->json->{items}}], [1], 'revoked';
};

subtest 'joining' => sub {
	my $code = invite_to(max_uses => 1);
	my $cat = $web->visit(hash => '#token=' . $t->token('cat') . "&invite=$code");
	$cat->wait_text('.invite-card .name', 'Walkers')->wait_text('.invite-card', '2 members')->wait_text('.invite-card', '<i>whatever</i> the weather');
	is $cat->value('location.hash'), '', 'the code leaves the address';
	my $hue = q{(selector) => document.querySelector(selector).className.match(/hue-\d/)[0]};
	my $preview = $cat->value("($hue)('.invite-card .avatar')");
	is $cat->count('.invite-card img'), 0, 'a stranger sees what it is, and loads no picture of it';
	$cat->key('Enter')->wait_text('.room-title h2', 'Walkers')->wait_text('.system:last-child', 'You joined the group');
	$ann->wait_text('.system:last-child', 'Cat joined the group')->wait_text('.room-status', '3 members');
	pass 'joining opens it';
	is $cat->value("($hue)('.room-avatar .avatar')"), $preview, 'in the colour that the invite had';
	$cat->wait_value(q{document.querySelector('.room-avatar img') !== null});
	my $dan = $web->enter('dan');
	$dan->value("location.hash = '#invite=$code'; 0");
	$dan->wait_text('.invite-card .fault', 'not valid any more');
	pass 'in a page that is open, too: a code that is used up says so';
	$dan->key('Escape')->wait_gone('.dialog');
	my $other = invite_to();
	$cat->value("location.hash = '#invite=$other'; 0");
	$cat->click('.invite-card .primary')->wait_gone('.dialog')->wait_text('.room-title h2', 'Walkers');
	is $cat->events->[-1], 'You joined the group', 'a member is led to the group';
	$_->close for $cat, $dan;
};

subtest 'who is not logged in' => sub {
	my $code = invite_to();
	my $new = $web->visit(hash => "#invite=$code");
	$new->register('fay', 'correct horse', 'Fay')->wait_online->wait_text('.invite-card .name', 'Walkers');
	$new->click('.invite-card .primary')->wait_text('.room-title h2', 'Walkers');
	pass 'does so first';
	$new->reload->wait_online->wait_text('.room-title h2', 'Walkers');
	is $new->count('.dialog'), 0, 'and is asked once';
	$new->close;
};

subtest 'where an admin lets one in' => sub {
	$t->api('ann')->put("/groups/$group", {settings => {join => 'approval'}});
	my $code = invite_to();
	my %page = map { $_ => $web->enter($_) } qw(dan eve);
	for my $page (values %page) {
		$page->value("location.hash = '#invite=$code'; 0");
		$page->click('.invite-card .primary')->wait_text('.invite-card', 'An admin has to let you in');
		$page->key('Enter')->wait_gone('.dialog');
	}
	$ann->close_panel->wait_gone('.group-dialog');
	$ann->reload->wait_online->wait_text('.group-info .badge', '2');
	like $ann->value(q{document.querySelector('.group-info').getAttribute('aria-label')}), qr/2 people wait to be let in/, 'an admin has a badge';
	$ann->click('.group-info')->wait_text('[data-section=requests] [data-user=dan]', 'Dan');
	pass 'which opens the requests';
	$ann->click('[data-section=requests] [data-user=dan] .primary')->wait_gone('[data-section=requests] [data-user=dan]');
	$page{dan}->wait_text('.chat .name', 'Walkers')->open_group($group)->wait_text('.system:last-child', 'Ann added you');
	$ann->click('[data-section=requests] [data-user=eve] .quiet')->wait_text('[data-section=requests] [role=status]', 'Nobody waits');
	$ann->wait_value(q{document.querySelector('.group-info .badge').hidden});
	is $page{eve}->count('.chat'), 0, 'the other is not let in';
	$t->api('ann')->delete("/groups/$group/members/dan?ban=true");
	$page{dan}->wait_text('.room-notice', 'cannot come back');
	$page{dan}->value("location.hash = '#invite=$code'; 0");
	$page{dan}->wait_text('.invite-card .fault', 'You are banned from this group');
	pass 'nor who is banned';
	$page{eve}->value("location.hash = '#invite=" . 'x' x 16 . "'; 0");
	$page{eve}->wait_text('.invite-card .fault', 'not valid any more');
	is_deeply [map { $_->own_faults } values %page], [], 'no error in the consoles';
};

subtest 'without an invite' => sub {
	my $gus = $web->visit(hash => '#token=' . $t->token('gus') . "&join=$group");
	$gus->wait_text('.invite-card', 'This link leads to a group');
	is $gus->value('location.hash'), '', 'the id leaves the address';
	$t->api('ann')->put("/groups/$group", {settings => {join => 'invite'}});
	$gus->key('Enter')->wait_text('.invite-card .fault', 'cannot be joined by this link');
	$ann->click('[data-tab=settings]')->wait_value(q{document.querySelector('.group-settings [name=join]').value === 'invite'});
	ok !$ann->value(q{document.querySelector('.group-link').checkVisibility()}), 'not where one has to be invited';
	$t->api('ann')->put("/groups/$group", {settings => {join => 'open'}});
	$ann->click('.group-link button')->wait_value("$clipboard.then((text) => text.includes('#join='))");
	is $ann->value($clipboard), $web->address . "/#join=$group", 'where anybody may join, there is a link';
	$gus->click('.invite-card .primary')->wait_gone('.dialog')->wait_text('.room-title h2', 'Walkers')->wait_text('.system:last-child', 'You joined the group');
	is_deeply [$gus->own_faults], [], 'no error in the console';
	$gus->close;
};

is_deeply [$ann->own_faults], [], 'nothing refused by the policy';
$web->stop;
done_testing;
