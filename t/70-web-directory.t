# SPDX-License-Identifier: BSD-2-Clause
# Proves that people are found on the chat page by a part of their name as one types, page after page, by the keyboard; and
# that without a directory the field asks for an exact user name.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start;
my $t = $web->t;
my $anyone = $t->http(undef);
my %name = (ann => 'Ann', alba => 'Alba Rossi', wei => '王小伟', rosa => 'Rosa', map { sprintf('many%02d', $_) => "Crowd $_" } 1 .. 25);
$anyone->post('/users/register', {user_id => $_, password => 'correct horse', nickname => $name{$_}}) for sort keys %name;
$t->befriend(qw(ann rosa));

my $ann = $web->enter('ann');
$ann->click('#tab-friends');
my $field = '.people [role=search] input';
sub found { my ($page) = @_; return [sort @{$page->value(q{[...document.querySelectorAll('[data-section=directory] .person')].map((e) => e.dataset.user)})}] }

subtest 'as one types' => sub {
	is $ann->value(qq{document.querySelector('$field').getAttribute('aria-label')}), 'Name or user name', 'the field says by what';
	$ann->type($field, 'ros')->wait_text('[data-section=directory] .hint', '2 people found');
	is_deeply found($ann), [qw(alba rosa)], 'by any part of the name';
	$ann->wait_text('[data-section=directory] [data-user=rosa] .known', 'Friend');
	$ann->fill($field, '小伟')->wait_text('[data-section=directory] .hint', '1 person found');
	is_deeply found($ann), ['wei'], 'in Chinese';
	$ann->fill($field, 'nobody')->wait_text('[data-section=directory] .hint', 'Nobody is found by');
	$ann->fill($field, '')->wait_value(q{!document.querySelector('[data-section=directory]').checkVisibility()});
	pass 'and the list goes with what was typed';
};

subtest 'page after page' => sub {
	$ann->fill($field, 'crowd')->wait_text('[data-section=directory] .hint', '20 people found, and there are more');
	$ann->value(q{void document.querySelector('.directory-more').focus()});
	$ann->key('Enter')->wait_text('[data-section=directory] .hint', '25 people found');
	is_deeply found($ann), [map { sprintf 'many%02d', $_ } 1 .. 25], 'all of them, each once';
	$ann->wait_value(q{document.activeElement.matches('[data-section=directory] li:nth-child(21) button')});
	pass 'the focus is on the first that came';
};

subtest 'choosing, by the keyboard' => sub {
	$ann->fill($field, 'alb')->wait_text('[data-section=directory] .hint', '1 person found');
	$ann->value(q{void document.querySelector('[data-section=directory] .person button').focus()});
	$ann->key('Enter')->wait_text('.found .name', 'Alba Rossi');
	$ann->wait_value(q{document.activeElement.matches('.found .request input')});
	$ann->insert("we met\n");
	$ann->wait_text('.note', 'Request sent')->wait_text('[data-section=outgoing] .person', 'Alba Rossi');
	is_deeply [map { $_->{note} } @{$t->api('alba')->get('/friends/requests')->json->{items}}], ['we met'], 'asked';
	$ann->fill($field, 'alb')->wait_text('[data-section=directory] .known', 'Request sent');
	my @nameless = grep { $_->[1] eq '' } $ann->accessible;
	is_deeply \@nameless, [], 'everything has a name';
};

is_deeply [$ann->own_faults], [], 'no fault in the console';

subtest 'without a directory' => sub {
	$t->node->configure({%{$t->node->{conf}}, account => {directory => 'false'}})->reload;
	my $page = $web->enter('wei');
	$page->click('#tab-friends')->type($field, 'alb')->wait_value(qq{document.querySelector('$field').getAttribute('aria-label') === 'User name of a friend'});
	pass 'the field asks for a user name';
	$page->fill($field, "alba\n")->wait_text('.found .name', 'Alba Rossi');
	pass 'which is found when it is exact';
	ok !$page->value(q{document.querySelector('[data-section=directory]').checkVisibility()}), 'and nothing else is shown';
};

$web->stop;
done_testing;
