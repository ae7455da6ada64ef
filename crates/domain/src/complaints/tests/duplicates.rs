//! What is suggested as a duplicate, and in which order.

use super::*;

fn about(number: u128, subject: &str) -> Complaint {
    let hours = office();
    Complaint { id: id(number), subject: subject.into(), ..recorded(&hours, MONDAY) }
}

fn suggested(of: &Complaint, others: &[Complaint]) -> Vec<u128> {
    of.possible_duplicates(others).iter().map(|other| other.id.uuid().as_u128()).collect()
}

#[test]
fn subjects_that_are_alike_are_suggested_the_likeliest_first() {
    let own = about(100, "The printer smokes");
    let others = [
        own.clone(),
        about(101, "Printer smokes again"),
        about(102, "THE  printer smokes"),
        about(103, "Invoice is wrong"),
        Complaint { customer_id: id(8), ..about(104, "The printer smokes") },
        Complaint { state: ComplaintState::Merged, ..about(105, "The printer smokes") },
        Complaint { state: ComplaintState::Closed, ..about(106, "The printers smoke") },
        about(107, "打印机冒烟"),
    ];
    assert_eq!(suggested(&own, &others), [102, 106, 101]);
    for state in [ComplaintState::Closed, ComplaintState::OutOfScope, ComplaintState::Merged] {
        assert!(suggested(&Complaint { state, ..own.clone() }, &others).is_empty());
    }
    assert_eq!(suggested(&about(108, "打印机 冒烟"), &others), [107]);
}

#[test]
fn the_same_product_or_reporter_makes_up_for_other_words() {
    let reporter = |address: &str| {
        let addresses = vec![ReporterAddress { channel: Channel::Phone, address: address.into() }];
        Some(Reporter { name: "Ada".into(), addresses })
    };
    let own = Complaint {
        product_id: Some(id(50)),
        reporter: reporter("+49 30 1"),
        ..about(100, "The printer smokes")
    };
    let words = about(101, "Smoke from a device");
    let product = Complaint { product_id: Some(id(50)), ..about(102, "Smoke from a device") };
    let both = Complaint { reporter: reporter("+49 30 1"), ..product.clone() };
    let found = suggested(&own, &[words, product, Complaint { id: id(103), ..both }]);
    assert_eq!(found, [103]);
}

#[test]
fn no_more_are_suggested_than_somebody_reads() {
    let own = about(100, "The printer smokes");
    let others: Vec<_> = (101..140).map(|number| about(number, "The printer smokes")).collect();
    assert_eq!(suggested(&own, &others), [139, 138, 137, 136, 135]);
}
